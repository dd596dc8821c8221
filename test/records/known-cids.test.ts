import { jest } from '@jest/globals';
import { KnownCids } from '../../lib/records/known-cids.js';
import { prepareRecord } from '../../lib/records/record-json.js';

const prepare = async (value: object, known?: KnownCids) =>
  prepareRecord(value, 'com.example.note', undefined, known);

it('gives a record that was made lately the same CID, and every other one its own', async () => {
  const known = new KnownCids();
  const { cid } = await prepare({ text: 'a', at: new Date(0) }, known);
  const set = jest.spyOn(known, 'set');
  expect((await prepare({ text: 'a', at: '1970-01-01T00:00:00.000Z' }, known)).cid).toBe(cid);
  expect(set).not.toHaveBeenCalled();
  for (const other of [{ text: 'b', at: new Date(0) }, { text: 'a' }, { text: 'a', at: new Date(1) }]) {
    const made = await prepare(other, known);
    expect(made.cid).not.toBe(cid);
    expect(made).toEqual(await prepare(other));
  }
});

it('remembers no record that is refused', async () => {
  const known = new KnownCids();
  for (let time = 0; time < 2; time++)
    await expect(prepare({ blob: { $link: 'no cid' } }, known)).rejects.toThrow('outside the AT Protocol');
});

it('forgets what was not used for long, and keeps nothing that is large', async () => {
  const known = new KnownCids();
  for (let index = 0; index < 200; index++) known.set(`${index}`, 'cid');
  expect(known.get('0')).toBe('cid');
  known.set('200', 'cid');
  expect([known.get('0'), known.get('1'), known.get('2')]).toEqual(['cid', undefined, 'cid']);
  known.set('x'.repeat(10_001), 'cid');
  expect(known.get('x'.repeat(10_001))).toBeUndefined();
});
