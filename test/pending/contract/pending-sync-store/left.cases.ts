import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { aChange, ALICE, contractCase, failedTry, type Scene } from './fixtures.js';

const unknown = (rkey: string) => aChange(rkey, { entityName: 'Unknown' });

/** Another process has something to do in Alice's lane, where the subject has another process. */
async function isReadyForPeer({ store, peer }: Scene): Promise<void> {
  if (peer !== store) assert.deepEqual(await peer.readyLanes(10), [ALICE]);
}

export const leftCases = (): ContractCase[] => [
  contractCase('an entry that is left to other processes is not due', async (scene) => {
    await scene.capture(aChange('a'), unknown('b'), aChange('c'));
    assert.equal(scene.store.leave('Unknown'), true);
    assert.equal(scene.store.leave('Unknown'), false);
    assert.deepEqual(await scene.due(), ['a', 'c']);
    assert.deepEqual(await scene.due({ backlog: true }), ['a', 'c']);
    assert.deepEqual(await scene.due({ limit: 1 }), ['a']);
    assert.equal(await scene.store.countForDid(ALICE), 3);
  }),

  contractCase('an entry of a left class is due if its row is gone', async (scene) => {
    await scene.capture(
      unknown('a'),
      aChange('b', { entityName: 'Unknown', operation: 'unpublish', givenUp: true, orphaned: true }),
      aChange('c', { entityName: 'Unknown', operation: 'unpublish', givenUp: true }),
    );
    scene.store.leave('Unknown');
    assert.deepEqual(await scene.due(), ['b']);
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane with only left entries is ready for other processes only', async (scene) => {
    await scene.capture(unknown('a'));
    scene.store.leave('Unknown');
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await isReadyForPeer(scene);
    await scene.leased(async () => undefined);
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await isReadyForPeer(scene);
  }),

  contractCase('a failed entry is not ready again because its lane is for others', async (scene) => {
    await scene.capture(aChange('a'), unknown('b'));
    scene.store.leave('Unknown');
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
    await scene.pass(2);
    await scene.leased(async (lease) => {
      await scene.store.failed(lease, [failedTry(await scene.entry('a'))]);
    });
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await isReadyForPeer(scene);
    await scene.capture(aChange('c'));
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase(
    'a failed entry is ready again after its backoff, also in a lane that is ready for others',
    async (scene) => {
      await scene.capture(aChange('a'), unknown('b'));
      scene.store.leave('Unknown');
      const lease = await scene.lease();
      await scene.store.failed(lease, [failedTry(await scene.entry('a'), { countsAttempt: false })]);
      await scene.store.release(lease, { next: { retryAt: new Date(Date.now() + 20) }, failures: 1 });
      await scene.pass(20);
      assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
    },
  ),

  contractCase('backfill gets its turn in a lane that is ready for other processes', async (scene) => {
    await scene.capture(unknown('a'), aChange('b', { backfill: true }));
    scene.store.leave('Unknown');
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
    assert.deepEqual(await scene.due(), ['b']);
  }),
];
