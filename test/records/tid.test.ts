import { isValidTid } from '@atproto/syntax';
import { newTid } from '../../lib/records/tid.js';

const ALPHABET = '234567abcdefghijklmnopqrstuvwxyz';
const clockId = (tid: string): number =>
  ALPHABET.indexOf(tid.charAt(11)) * 32 + ALPHABET.indexOf(tid.charAt(12));

describe('a new TID', () => {
  const tids = Array.from({ length: 100_000 }, newTid);

  it('is one by the specification', () => {
    expect(tids.filter((tid) => !isValidTid(tid))).toEqual([]);
    expect(newTid()).toMatch(/^[234567abcdefghij][234567a-z]{12}$/);
  });

  it('is new: 100,000 in a row differ, in their microseconds too', () => {
    expect(new Set(tids).size).toBe(tids.length);
    expect(new Set(tids.map((tid) => tid.slice(0, 11))).size).toBe(tids.length);
  });

  it('is greater than the one before it in this process', () => {
    expect(tids).toEqual(tids.toSorted());
  });

  it('has a random clock id, from the whole range', () => {
    const seen = new Set(tids.slice(0, 10_000).map(clockId));
    expect(Math.min(...seen)).toBeLessThan(32);
    expect(Math.max(...seen)).toBeGreaterThan(991);
    expect(seen.size).toBeGreaterThan(900);
  });
});
