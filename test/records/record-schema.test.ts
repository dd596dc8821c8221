import { l } from '@atproto/lex-schema';
import { InvalidRecordError, type RecordSchema } from 'nestjs-parity';
import { prepareRecord } from '../../lib/records/record-json.js';

const schema: RecordSchema = l.record(
  'tid',
  'com.example.note',
  l.object({
    text: l.string({ maxLength: 20 }),
    createdAt: l.string({ format: 'datetime' }),
    mood: l.optional(l.enum(['good', 'bad'])),
    image: l.optional(l.blob({ accept: ['image/png'] })),
    hash: l.optional(l.bytes()),
  }),
);
const note = (fields: object = {}) => ({ text: 'hello', createdAt: new Date(0), ...fields });
const prepare = async (value: unknown) => prepareRecord(value, 'com.example.note', schema);

describe('a record is checked against the schema of its mapper', () => {
  it('and passes if it fits, Dates, bytes and blobs included', async () => {
    const image = {
      $type: 'blob',
      ref: { $link: 'bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq' },
      mimeType: 'image/png',
      size: 12,
    };
    const { record } = await prepare(note({ image, hash: new Uint8Array([1]) }));
    expect(record).toMatchObject({ createdAt: '1970-01-01T00:00:00.000Z', image, hash: { $bytes: 'AQ' } });
  });

  it.each<[string, object, string, string]>([
    ['lacks a property', { text: undefined }, 'Missing required key "text"', '$'],
    ['has a value of another type', { text: 77 }, 'Expected string value type', '$.text'],
    ['is too long', { text: 'a secret that is too long' }, 'string too big (maximum 20)', '$.text'],
    ['has another format', { createdAt: 'my secret (got it)' }, 'Invalid datetime', '$.createdAt'],
    ['has another word', { mood: 'secret' }, 'Expected one of "good" or "bad"', '$.mood'],
  ])('and is refused if it %s, with the path, without its content', async (_rule, fields, rule, path) => {
    const error: unknown = await prepare(note(fields)).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(InvalidRecordError);
    expect(error).toMatchObject({
      path,
      message: `The record does not fit the lexicon com.example.note: ${rule} at ${path}.`,
    });
  });

  it('where the schema is anything that has safeValidate()', async () => {
    const refusing: RecordSchema = { safeValidate: () => ({ success: false }) };
    expect(() => prepareRecord({}, 'com.example.note', refusing)).toThrow(
      'does not fit the lexicon com.example.note: the schema does not say why.',
    );
  });
});
