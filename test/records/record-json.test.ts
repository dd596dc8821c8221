import { BlobRef } from '@atproto/api';
import { parseCid } from '@atproto/lex-data';
import { InvalidRecordError } from 'nestjs-parity';
import { prepareRecord } from '../../lib/records/record-json.js';

const CID = 'bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq';
const BLOB = { $type: 'blob', ref: { $link: CID }, mimeType: 'image/png', size: 12 };
const BLOB_REF = BlobRef.asBlobRef({ ...BLOB, ref: parseCid(CID) });
const COLLECTION = 'com.example.note';
const record = async (value: unknown) => (await prepareRecord(value, COLLECTION)).record;
const cid = async (value: unknown) => (await prepareRecord(value, COLLECTION)).cid;

async function refusal(value: unknown): Promise<InvalidRecordError> {
  const error: unknown = await record(value).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(InvalidRecordError);
  return error as InvalidRecordError;
}

describe('a record', () => {
  it('gets its $type from the collection, and may have it already', async () => {
    expect(await record({ text: 'x' })).toEqual({ $type: COLLECTION, text: 'x' });
    expect(await record({ $type: COLLECTION, text: 'x' })).toEqual({ $type: COLLECTION, text: 'x' });
    expect(await record({ $type: undefined })).toEqual({ $type: COLLECTION });
  });

  it('is not the object that the mapper gave, which stays as it is', async () => {
    const given = { at: new Date(0), nested: { gone: undefined } };
    await record(given);
    expect(given).toEqual({ at: new Date(0), nested: { gone: undefined } });
  });

  it.each<[string, unknown, unknown]>([
    ['a Date', new Date('2026-01-02T03:04:05.678Z'), '2026-01-02T03:04:05.678Z'],
    ['a plain value', { a: [null, true, 'ü 🦋', { b: [] }] }, { a: [null, true, 'ü 🦋', { b: [] }] }],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['-0', -0, 0],
    ['the largest integer', Number.MAX_SAFE_INTEGER, 9_007_199_254_740_991],
    ['the smallest integer', Number.MIN_SAFE_INTEGER, -9_007_199_254_740_991],
    ['1.0', Number('1.0'), 1],
    ['bytes', new Uint8Array([1, 2, 3, 255]), { $bytes: 'AQID/w' }],
    ['a Buffer', Buffer.from('parity'), { $bytes: 'cGFyaXR5' }],
    ['a CID', parseCid(CID), { $link: CID }],
    ['a BlobRef', BLOB_REF, BLOB],
    ['the JSON form of a blob', BLOB, BLOB],
  ])('holds %s', async (_name, value, expected) => {
    expect((await record({ value }))['value']).toStrictEqual(expected);
    expect(await cid({ value })).toBe(await cid({ value: expected }));
  });

  it('leaves undefined properties out, at every depth', async () => {
    const given = { a: undefined, b: { c: undefined, d: [{ e: undefined }] } };
    expect(await record(given)).toStrictEqual({ $type: COLLECTION, b: { d: [{}] } });
    expect(await cid(given)).toBe(await cid({ b: { d: [{}] } }));
  });

  it('has a CID that does not depend on the order of its properties', async () => {
    expect(await cid({ a: 1, b: { c: 2, d: 3 } })).toBe(await cid({ b: { d: 3, c: 2 }, a: 1 }));
  });
});

describe('what no record can hold is refused with its path:', () => {
  class Money {
    amount = 1;
  }
  const circle: Record<string, unknown> = {};
  circle['inner'] = { circle };

  it.each<[string, unknown, string, RegExp]>([
    ['a float', { a: { b: [0, 1.5] } }, '$.a.b[1]', /is 1\.5; records hold integers/],
    ['NaN', { n: NaN }, '$.n', /is NaN/],
    ['Infinity', { n: -Infinity }, '$.n', /is -Infinity/],
    ['an unsafe integer', { n: 2 ** 53 }, '$.n', /is 9007199254740992; .* up to 2\^53-1/],
    ['a BigInt', { n: [1n] }, '$.n[0]', /is a bigint/],
    ['a Map', { m: new Map() }, '$.m', /is an instance of Map; only plain objects/],
    ['a Set', { m: new Set() }, '$.m', /is an instance of Set/],
    ['a class instance', { price: new Money() }, '$.price', /is an instance of Money/],
    ['a Promise', { later: Promise.resolve(1) }, '$.later', /is an instance of Promise/],
    ['a function', { f: () => 1 }, '$.f', /is a function, which no record can hold/],
    ['a symbol', { s: Symbol('s') }, '$.s', /is a symbol/],
    ['undefined in an array', { list: [1, undefined] }, '$.list[1]', /is undefined/],
    // eslint-disable-next-line no-sparse-arrays
    ['a hole in an array', { list: [1, , 3] }, '$.list[1]', /is undefined/],
    ['an invalid Date', { at: new Date('never') }, '$.at', /is an invalid Date/],
    ['a lone surrogate', { text: 'a\ud800' }, '$.text', /lone surrogate/],
    ['a lone surrogate in a name', { a: { 'x\udc00': 1 } }, '$.a', /name with a lone surrogate/],
    ['an object that holds itself', circle, '$.inner.circle', /one of the objects that hold it/],
    [
      'another $type',
      { $type: 'com.example.other' },
      '$.$type',
      /'com\.example\.other'.*'com\.example\.note'/,
    ],
  ])('%s', async (_name, value, path, message) => {
    const error = await refusal(value);
    expect(error.path).toBe(path);
    expect(error.message).toContain(`The value at ${path} `);
    expect(error.message).toMatch(message);
  });

  it.each([257, 3_000, 100_000])('objects that are nested %d levels deep', async (levels) => {
    let value: object = {};
    for (let level = 0; level < levels; level++) value = level % 2 ? [value] : { a: value };
    const { message, path } = await refusal({ nested: value });
    expect(message).toMatch(/^The value at \$\.nested.{1,40}… is nested more than 256 levels deep/);
    expect(path?.length).toBeLessThan(50);
  });

  it('the same object twice is no circle', async () => {
    const shared = { a: 1 };
    expect(await record({ one: shared, two: [shared] })).toMatchObject({ one: shared, two: [shared] });
  });

  it.each<[string, unknown]>([
    ['an array', [{ text: 'x' }]],
    ['null', null],
    ['undefined', undefined],
    ['a string', 'text'],
    ['a Date', new Date()],
    ['a class instance', new Money()],
  ])('%s instead of an object', async (_name, value) => {
    expect(await refusal(value)).toMatchObject({
      path: '$',
      message: expect.stringMatching(/^The value at \$ is .*; a record is a plain object\.$/),
    });
  });

  it.each<[string, unknown]>([
    ['a $link that is no CID', { $link: 'nope' }],
    ['$bytes that are no base64', { $bytes: 5 }],
    ['a blob without its parts', { $type: 'blob', ref: 'x' }],
    ['a $type that is no string', { $type: 5 }],
    ['a property __proto__', JSON.parse('{"__proto__": {}}')],
  ])('%s', async (_name, value) => {
    expect((await refusal({ value })).message).toMatch(/outside the AT Protocol's data model/);
  });
});
