import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import {
  aChange,
  ALICE,
  BOB,
  contractCase,
  failedTry,
  NOTHING_LEARNED,
  type Scene,
  settled,
  uriOf,
} from './fixtures.js';

const givenUp = (rkey: string) => aChange(rkey, { entityId: '1', operation: 'unpublish', givenUp: true });
const claimed = (rkey: string) => aChange(rkey, { entityId: '2' });

export const captureCases = (): ContractCase[] => [
  contractCase('a captured change comes back as it was given', async (scene) => {
    const change = aChange('a', {
      operation: 'unpublish',
      trigger: 'unpublish',
      cid: 'bafya',
      keepRecord: true,
      givenUp: true,
      mayDelete: true,
    });
    await scene.store.capture([change]);
    const { sync, version, ...kept } = await scene.entry('a');
    assert.deepEqual(kept, { ...change, ...NOTHING_LEARNED });
    assert.ok(version > 0 && Number.isSafeInteger(version));
    const { createdAt, ...rest } = sync;
    assert.equal(new Date(createdAt).toISOString(), createdAt);
    assert.deepEqual(rest, {
      ...change.address,
      id: uriOf('a'),
      uri: uriOf('a'),
      entityName: 'Post',
      entityId: 'a',
      operation: 'unpublish',
      attempts: 0,
      lastError: null,
    });
  }),

  contractCase('a capture of nothing does nothing', async ({ store }) => {
    await store.capture([]);
    assert.deepEqual(await store.forDid(ALICE), []);
  }),

  contractCase('one capture takes changes of several accounts', async ({ store }) => {
    await store.capture([aChange('a'), aChange('b', { did: BOB }), aChange('c')]);
    assert.equal(await store.countForDid(ALICE), 2);
    assert.equal(await store.countForDid(BOB), 1);
  }),

  contractCase('there is one entry per address, however often it is captured', async ({ store }) => {
    for (let times = 0; times < 3; times++) await store.capture([aChange('a')]);
    await store.capture([aChange('b'), aChange('b')]);
    assert.equal(await store.countForDid(ALICE), 2);
  }),

  contractCase('a recapture without a cid keeps the known cid', async (scene) => {
    await scene.store.capture([aChange('a', { cid: 'bafya' }), claimed('b')]);
    await scene.store.capture([aChange('a', { operation: 'unpublish' })]);
    assert.equal((await scene.entry('a')).cid, 'bafya');
    await scene.store.capture([{ ...givenUp('b'), cid: 'bafyb' }]);
    assert.equal((await scene.entry('b')).cid, 'bafyb');
    await scene.store.capture([aChange('a', { cid: 'bafyother' })]);
    assert.equal((await scene.entry('a')).cid, 'bafyother');
  }),

  contractCase('a recapture raises the version', async (scene) => {
    await scene.store.capture([aChange('a'), aChange('b')]);
    const before = await scene.entry('a');
    const bystander = await scene.entry('b');
    await scene.store.capture([aChange('a')]);
    assert.ok((await scene.entry('a')).version > before.version);
    assert.equal((await scene.entry('b')).version, bystander.version);
  }),

  contractCase('a recapture takes over trigger, operation and claimant', async (scene) => {
    await scene.store.capture([aChange('a', { entityId: '1' })]);
    const change = aChange('a', {
      entityName: 'Note',
      entityId: '2',
      operation: 'republish',
      trigger: 'republish',
      cid: 'bafya',
    });
    await scene.store.capture([change]);
    const { sync, version: _, ...kept } = await scene.entry('a');
    assert.deepEqual(kept, { ...change, ...NOTHING_LEARNED });
    assert.deepEqual([sync.entityName, sync.entityId, sync.operation], ['Note', '2', 'republish']);
  }),

  contractCase('a recapture keeps id, place and createdAt', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    const before = await scene.entry('a');
    await scene.leased((lease) => scene.store.failed(lease, [failedTry(before)]));
    await scene.capture(aChange('a', { operation: 'republish' }));
    const { sync } = await scene.entry('a');
    assert.deepEqual([sync.id, sync.createdAt], [before.sync.id, before.sync.createdAt]);
    assert.deepEqual(await scene.due(), ['a', 'b']);
  }),

  contractCase('a recapture gets all its attempts, unless it is backfill', async (scene) => {
    await scene.capture(aChange('a'));
    await scene.leased(async (lease) => scene.store.failed(lease, [failedTry(await scene.entry('a'))]));
    await scene.capture(aChange('a', { backfill: true }));
    assert.equal((await scene.entry('a')).sync.attempts, 1);
    await scene.capture(aChange('a'));
    assert.equal((await scene.entry('a')).sync.attempts, 0);
  }),

  contractCase('a live change is not taken over by a backfill that finds it again', async (scene) => {
    const removal = aChange('a', { operation: 'unpublish', keepRecord: true, givenUp: true });
    await scene.store.capture([removal]);
    const { version } = await scene.entry('a');
    await scene.store.capture([aChange('a', { backfill: true })]);
    const { sync, version: raised, ...kept } = await scene.entry('a');
    assert.deepEqual(kept, { ...removal, ...NOTHING_LEARNED });
    assert.equal(sync.operation, 'unpublish');
    assert.ok(raised > version, 'the version is raised all the same');
  }),

  contractCase('an address that another entity gives up stays with its claimant', async (scene) => {
    await scene.store.capture([claimed('a')]);
    const { version } = await scene.entry('a');
    await scene.store.capture([givenUp('a')]);
    const entry = await scene.entry('a');
    assert.deepEqual([entry.entityId, entry.sync.entityId, entry.givenUp], ['2', '2', false]);
    assert.ok(entry.version > version, 'the version is raised all the same');
  }),

  contractCase('an entity of another class with the same key is another entity', async (scene) => {
    await scene.store.capture([aChange('a', { entityName: 'Note', entityId: '1' })]);
    await scene.store.capture([givenUp('a')]);
    assert.equal((await scene.entry('a')).entityName, 'Note');
  }),

  contractCase('an address that its claimant gives up is given up', async (scene) => {
    await scene.store.capture([aChange('a')]);
    await scene.store.capture([aChange('a', { operation: 'unpublish', keepRecord: true, givenUp: true })]);
    const entry = await scene.entry('a');
    assert.deepEqual([entry.givenUp, entry.keepRecord, entry.operation], [true, true, 'unpublish']);
  }),

  contractCase('an address that was given up goes to the entity that claims it', async (scene) => {
    await scene.store.capture([givenUp('a')]);
    await scene.store.capture([claimed('a')]);
    const entry = await scene.entry('a');
    assert.deepEqual([entry.entityId, entry.givenUp], ['2', false]);
  }),

  contractCase(
    "an address given up and claimed in one capture is one entry, the claimant's",
    async (scene) => {
      await scene.store.capture([givenUp('a'), claimed('a'), claimed('b'), givenUp('b')]);
      assert.equal(await scene.store.countForDid(ALICE), 2);
      for (const rkey of ['a', 'b']) assert.equal((await scene.entry(rkey)).entityId, '2');
    },
  ),

  contractCase('a settled address begins anew, with a greater version', (scene) =>
    beginsAnew(scene, async () => {
      const entry = await scene.entry('a');
      await scene.leased((lease) => scene.store.settle(lease, [settled(entry)]));
    }),
  ),

  contractCase('a discarded address begins anew, with a greater version', (scene) =>
    beginsAnew(scene, async () => {
      const entry = await scene.entry('a');
      await scene.leased((lease) => scene.store.discard(lease, [{ entry, reason: 'refused' }]));
    }),
  ),

  contractCase('a removed address begins anew, with a greater version', (scene) =>
    beginsAnew(scene, () => scene.store.remove(uriOf('a'))),
  ),

  contractCase('the addresses of a removed account begin anew, with greater versions', (scene) =>
    beginsAnew(scene, () => scene.store.removeForDid(ALICE)),
  ),

  contractCase('concurrent captures of one account lose no change', async ({ store, peer }) => {
    const rkeys = Array.from({ length: 20 }, (_, index) => `r${index}`);
    await Promise.all(rkeys.map((rkey, index) => (index % 2 ? store : peer).capture([aChange(rkey)])));
    const kept = (await store.forDid(ALICE)).map(({ rkey }) => rkey);
    assert.deepEqual(kept.toSorted(), rkeys.toSorted());
  }),

  contractCase('concurrent captures of one address each raise its version', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const { version } = await scene.entry('a');
    await Promise.all([scene.store, scene.peer, scene.store].map((store) => store.capture([aChange('a')])));
    assert.ok((await scene.entry('a')).version >= version + 3);
    assert.equal(await scene.store.countForDid(ALICE), 1);
  }),
];

/** An address that has failed once is done with in some way, and captured again. */
async function beginsAnew(scene: Scene, endWith: () => Promise<unknown>): Promise<void> {
  await scene.capture(aChange('a'), aChange('b'));
  const first = await scene.entry('a');
  await scene.leased((lease) => scene.store.failed(lease, [failedTry(first)]));
  await endWith();
  assert.equal(await scene.isPending('a'), false);
  if (!(await scene.isPending('b'))) await scene.capture(aChange('b'));
  await scene.capture(aChange('a'));
  const again = await scene.entry('a');
  assert.ok(again.version > first.version, `version ${again.version} was used before (${first.version})`);
  assert.deepEqual([again.sync.attempts, again.sync.lastError], [0, null]);
  assert.deepEqual(await scene.due(), ['b', 'a']);
}
