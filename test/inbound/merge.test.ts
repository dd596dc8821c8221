import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { merge } from '../../lib/inbound/merge.js';
import type { RecordJson } from '../../lib/model/evidence.js';

const field = fc.constantFrom('text', 'mood', 'reply', 'theirs', '__proto__');
const value = fc.oneof(fc.nat({ max: 2 }), fc.constantFrom('a', null), fc.constant({ in: [1] }));
const record: fc.Arbitrary<RecordJson> = fc
  .array(fc.tuple(field, value), { maxLength: 5 })
  .map((fields) => Object.fromEntries(fields));
const winner = fc.constantFrom<'local' | 'remote'>('local', 'remote');
const opposite = { local: 'remote', remote: 'local' } as const;

const at = (one: RecordJson, name: string): readonly unknown[] =>
  Object.hasOwn(one, name) ? [one[name]] : [];
const isSame = (one: RecordJson, other: RecordJson, name: string): boolean =>
  isDeepStrictEqual(at(one, name), at(other, name));

describe('merging two edits of a record', () => {
  it('takes each field from the side that changed it, and names those that both changed', () => {
    fc.assert(
      fc.property(record, record, record, winner, (local, remote, base, wins) => {
        const merged = merge(local, remote, base, wins);
        for (const name of new Set([local, remote, base].flatMap(Object.keys))) {
          const isClash =
            !isSame(local, remote, name) && !isSame(local, base, name) && !isSame(remote, base, name);
          const side = isClash ? { local, remote }[wins] : isSame(local, base, name) ? remote : local;
          expect(at(merged.record, name)).toEqual(at(side, name));
          expect(merged.clashes.includes(name)).toBe(isClash);
        }
      }),
      { numRuns: 10_000 },
    );
  });

  it('gives the same whichever side is called local', () => {
    fc.assert(
      fc.property(record, record, fc.option(record), winner, (one, other, base, wins) => {
        const merged = merge(one, other, base, wins);
        const turned = merge(other, one, base, opposite[wins]);
        expect(turned.record).toEqual(merged.record);
        expect(turned.clashes.toSorted()).toEqual(merged.clashes.toSorted());
      }),
      { numRuns: 10_000 },
    );
  });

  it('loses no field without a record that both sides had', () => {
    const merged = merge({ text: 'a', mood: 'calm' }, { text: 'b', theirs: 1 }, null, 'remote');
    expect(merged).toEqual({ record: { text: 'b', mood: 'calm', theirs: 1 }, clashes: ['text'] });
  });
});
