import { RecordConflictError } from 'nestjs-parity';
import { decide } from '../../lib/sync/decision.js';
import { ADDRESS, entityThat, found, row, target, unpublished, unverified, URI } from './fakes.js';

const careful = { entity: entityThat({ onConflict: 'fail' }) };
const create = { action: 'create', address: ADDRESS, cid: 'cid-new', record: {} };
const update = { ...create, action: 'update' };
const remove = { action: 'delete', address: ADDRESS };

describe('without a look at the PDS, by what the database knows,', () => {
  it('a record that is missing is created', async () =>
    expect(decide([await target(unpublished())], unverified).writes).toMatchObject([create]));
  it('a record that differs is updated', async () =>
    expect(decide([await target(row())], unverified).writes).toMatchObject([update]));
  it('a record that should not exist is deleted', async () =>
    expect(decide([await target(row(), { trigger: 'unpublish' })], unverified).writes).toMatchObject([
      remove,
    ]));
  it('nothing is written where all is as it should be', async () => {
    const targets = [await target(row({ wanted: 'cid-old' })), await target(undefined)];
    expect(decide(targets, unverified)).toEqual({
      writes: [],
      conflicts: new Map(),
      overwritten: [],
      spent: new Set(),
      foreign: new Set(),
    });
  });
});

describe('with a look at the PDS', () => {
  it('nothing is written if another client has already done it', async () => {
    const targets = [await target(row(), careful)];
    expect(decide(targets, found('cid-new'))).toMatchObject({ writes: [], overwritten: [] });
    const gone = [await target(row(), { ...careful, trigger: 'unpublish' })];
    expect(decide(gone, found(null))).toMatchObject({ writes: [], overwritten: [] });
  });

  it('a record that an earlier request of ours left there is no conflict', async () => {
    const decision = decide([await target(unpublished(), careful)], found('cid-lost', true));
    expect(decision).toMatchObject({ writes: [update], overwritten: [], conflicts: new Map() });
  });

  it.each([
    ['published', row()],
    ['unpublished', unpublished()],
  ])(
    'where a request of ours deleted the record of an entity (%s), none is created again',
    async (_, entity) => {
      const decision = decide([await target(entity, careful)], found(null, true));
      expect(decision).toEqual({
        writes: [],
        conflicts: new Map(),
        overwritten: [],
        spent: new Set([URI]),
        foreign: new Set(),
      });
    },
  );

  it('a fixed key is used again, though a request of ours deleted its record', async () => {
    const fixed = { entity: entityThat({ hasFixedRkey: true }) };
    const { writes, spent } = decide([await target(row(), fixed)], found(null, true));
    expect(writes).toMatchObject([create]);
    expect(spent.size).toBe(0);
  });

  it.each([
    ['was changed', row(), 'cid-theirs', update],
    ['was deleted', row(), null, create],
    ['was created', unpublished(), 'cid-theirs', update],
  ] as const)(
    'a record that %s by another client is overwritten, and reported',
    async (what, entity, cid, write) => {
      const decision = decide([await target(entity)], found(cid));
      expect(decision.writes).toMatchObject([write]);
      expect(decision.overwritten).toEqual([
        `The record ${URI} of Row 1 ${what} by somebody else. It is overwritten (onConflict: 'overwrite').`,
      ]);
    },
  );

  it.each([
    ['was changed', row(), 'cid-theirs'],
    ['was deleted', row(), null],
    ['was created', unpublished(), 'cid-theirs'],
  ] as const)(
    "a record that %s by another client is left alone with onConflict 'fail'",
    async (what, entity, cid) => {
      const { writes, conflicts, overwritten } = decide([await target(entity, careful)], found(cid));
      expect([writes, overwritten]).toEqual([[], []]);
      expect(conflicts.get(URI)).toBeInstanceOf(RecordConflictError);
      expect(conflicts.get(URI)?.message).toContain(`The record ${URI} of Row 1 ${what} by somebody else.`);
    },
  );

  it("a record that another client changed is not deleted with onConflict 'fail'", async () => {
    const { writes, conflicts } = decide(
      [await target(undefined, { ...careful, cid: 'cid-old' })],
      found('cid-theirs'),
    );
    expect([writes, [...conflicts.keys()]]).toEqual([[], [URI]]);
  });
});
