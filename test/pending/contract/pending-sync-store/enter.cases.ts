import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { aChange, ALICE, contractCase, LONG, PARK, type Scene, settled, uriOf } from './fixtures.js';

/** Long enough for every worker that asks. */
const OPEN = { milliseconds: LONG };
const ANYWAY = { milliseconds: LONG, anyway: true };

export const enterCases = (span: number): ContractCase[] => [
  contractCase(
    'enter gives the lane with the pending entries at the addresses that it is asked for',
    async (scene) => {
      await scene.capture(aChange('a'), aChange('b'), aChange('c'));
      const asked = ['c', 'a', 'a', 'none'].map((rkey) => uriOf(rkey));
      const { lane, lease, entries, state } = await scene.store.enter(ALICE, asked, OPEN);
      assert.ok(lease && lease.did === ALICE);
      assert.deepEqual({ ...lane }, { did: ALICE, park: null, justFreed: false, retryAt: null, failures: 0 });
      assert.deepEqual(new Set(entries.map(({ sync }) => sync.rkey)), new Set(['a', 'c']));
      assert.deepEqual(
        entries.find(({ sync }) => sync.rkey === 'a'),
        await scene.entry('a'),
      );
      assert.ok(state === null || state === undefined);
      const done = entries.map((entry) => settled(entry));
      await scene.store.capture([aChange('c')]);
      assert.equal(await scene.store.settle(lease, done), true);
      assert.deepEqual(await scene.due(), ['b', 'c']);
    },
  ),

  contractCase('enter takes the lane of an unknown account', async ({ store }) => {
    const { lease, entries } = await store.enter(ALICE, [uriOf('a')], OPEN);
    assert.ok(lease);
    assert.deepEqual([...entries], []);
  }),

  contractCase('enter gives no entry that the former holder of the lane has settled', async (scene) => {
    await scene.capture(aChange('a'));
    const first = await scene.store.enter(ALICE, [uriOf('a')], OPEN);
    const [entry] = first.entries;
    assert.ok(first.lease && entry);
    await scene.store.settle(first.lease, [settled(entry)]);
    await scene.release(first.lease);
    const second = await scene.peer.enter(ALICE, [uriOf('a')], OPEN);
    assert.ok(second.lease && second.lease.token > first.lease.token);
    assert.deepEqual([...second.entries], []);
  }),

  contractCase('of several workers that enter a lane at once, one gets it', async (scene) => {
    await scene.capture(aChange('a'));
    const asking = [scene.store, scene.peer, scene.store, scene.peer].map((store) =>
      store.enter(ALICE, [uriOf('a')], OPEN),
    );
    const entered = await Promise.all(asking);
    const [winner, ...others] = entered.filter(({ lease }) => lease !== null);
    assert.ok(winner);
    assert.equal(winner.entries.length, 1);
    assert.deepEqual(others, []);
  }),

  contractCase('enter takes no parked lane, and tells its park', async (scene) => {
    await scene.capture(aChange('a'));
    await scene.store.park(ALICE, PARK);
    const { lane, lease } = await scene.peer.enter(ALICE, [uriOf('a')], OPEN);
    assert.equal(lease, null);
    assert.deepEqual(lane.park, PARK);
    await scene.store.unpark(ALICE, { retry: true });
    assert.ok((await scene.peer.enter(ALICE, [uriOf('a')], OPEN)).lease);
  }),

  contractCase('enter takes no lane that backs off, and tells its retryAt', async (scene) => {
    const retryAt = await backOff(scene, span);
    const { lane, lease } = await scene.peer.enter(ALICE, [uriOf('a')], OPEN);
    assert.equal(lease, null);
    assert.equal(lane.failures, 3);
    assert.ok(lane.retryAt && Math.abs(lane.retryAt.getTime() - retryAt.getTime()) < 1_000);
    await scene.pass(span);
    const later = await scene.peer.enter(ALICE, [uriOf('a')], OPEN);
    assert.ok(later.lease);
    assert.equal(later.lane.failures, 3);
  }),

  contractCase(
    'enter with anyway takes a lane that is parked or backs off, but not that of another worker',
    async (scene) => {
      const retryAt = await backOff(scene, LONG);
      const { lane, lease } = await scene.store.enter(ALICE, [], ANYWAY);
      assert.ok(lease);
      assert.ok(lane.retryAt && Math.abs(lane.retryAt.getTime() - retryAt.getTime()) < 1_000);
      assert.equal((await scene.peer.enter(ALICE, [], ANYWAY)).lease, null);
      await scene.release(lease);
      await scene.store.park(ALICE, PARK);
      const parked = await scene.peer.enter(ALICE, [], ANYWAY);
      assert.ok(parked.lease);
      assert.deepEqual(parked.lane.park, PARK);
    },
  ),

  contractCase('enter tells of no backoff while another worker has the lane', async (scene) => {
    await backOff(scene, LONG);
    assert.ok((await scene.store.enter(ALICE, [], ANYWAY)).lease);
    const { lane, lease } = await scene.peer.enter(ALICE, [], OPEN);
    assert.deepEqual([lane.retryAt, lease], [null, null]);
  }),

  contractCase('enter tells whether the lane was freed just now', async (scene) => {
    await scene.capture(aChange('a'));
    await scene.store.park(ALICE, PARK);
    await scene.store.unpark(ALICE, { retry: false });
    const { lane, lease } = await scene.peer.enter(ALICE, [uriOf('a')], OPEN);
    assert.ok(lease);
    assert.equal(lane.justFreed, true);
  }),

  contractCase('a lease from enter that has ended can be taken', async (scene) => {
    assert.ok((await scene.store.enter(ALICE, [], { milliseconds: span })).lease);
    await scene.pass(span);
    assert.ok((await scene.peer.enter(ALICE, [], OPEN)).lease);
  }),
];

/** A lane that backs off after three failures. @returns until when */
async function backOff(scene: Scene, milliseconds: number): Promise<Date> {
  await scene.capture(aChange('a'));
  const lease = await scene.lease();
  const retryAt = new Date(Date.now() + milliseconds);
  await scene.store.release(lease, { next: { retryAt }, failures: 3 });
  return retryAt;
}
