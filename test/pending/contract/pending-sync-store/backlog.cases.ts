import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { aChange, ALICE, contractCase, failedTry, LONG, PARK, type Scene, uriOf } from './fixtures.js';

/** What a sign-in leaves for a retry by hand: parked entries, and no others. */
export const backlogCases = (): ContractCase[] => [
  contractCase('a sign-in of an account that is not parked makes no backlog', async (scene) => {
    await scene.capture(aChange('a'));
    await scene.store.wake(ALICE);
    await scene.store.unpark(ALICE, { retry: false });
    assert.deepEqual(await scene.due(), ['a']);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
    assert.equal((await scene.store.inspect(uriOf('a')))?.backlog, false);
  }),

  contractCase(
    'a lane that is not parked backs off as before after a sign-in without retry',
    async (scene) => {
      await scene.capture(aChange('a'));
      const lease = await scene.lease();
      await scene.store.release(lease, { next: { retryAt: new Date(Date.now() + LONG) }, failures: 1 });
      await scene.store.unpark(ALICE, { retry: false });
      const { retryAt, failures } = await scene.peer.lane(ALICE);
      assert.deepEqual([retryAt !== null, failures], [true, 1]);
      assert.deepEqual(await scene.due(), ['a']);
    },
  ),

  contractCase('a sign-in of an account that is not parked leaves its backlog', async (scene) => {
    await scene.capture(aChange('a'));
    await makeBacklog(scene);
    await scene.capture(aChange('b'));
    await scene.store.unpark(ALICE, { retry: false });
    assert.deepEqual(await scene.due(), ['b']);
    assert.deepEqual(await scene.due({ backlog: true }), ['a', 'b']);
  }),

  contractCase('an entry that needed a session is backlog after a sign-in without retry', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    await needSession(scene, 'a');
    for (let times = 0; times < 2; times++) {
      await scene.store.unpark(ALICE, { retry: false });
      assert.deepEqual(await scene.due(), ['b']);
      assert.deepEqual(await scene.due({ backlog: true }), ['a', 'b']);
      assert.equal((await scene.store.inspect(uriOf('a')))?.backlog, true);
    }
    await scene.store.unpark(ALICE, { retry: true });
    assert.deepEqual(await scene.due(), ['a', 'b']);
  }),

  contractCase('an entry that needed a session is no backlog once it is captured again', async (scene) => {
    await scene.capture(aChange('a'));
    await needSession(scene, 'a');
    await scene.store.unpark(ALICE, { retry: false });
    await scene.capture(aChange('a'));
    assert.deepEqual(await scene.due(), ['a']);
  }),

  contractCase('a void park makes no backlog', async (scene) => {
    await scene.capture(aChange('a'));
    await scene.store.park(ALICE, PARK);
    await scene.store.voidPark(ALICE);
    assert.equal((await scene.peer.lane(ALICE)).park, null);
    assert.deepEqual(await scene.due(), ['a']);
    await scene.store.voidPark('did:plc:nobody');
  }),

  contractCase('a void park leaves the backlog of earlier parks', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    await needSession(scene, 'a');
    await scene.store.unpark(ALICE, { retry: false });
    await makeBacklog(scene);
    await scene.capture(aChange('c'));
    await scene.store.park(ALICE, PARK);
    await scene.store.voidPark(ALICE);
    assert.deepEqual(await scene.due(), ['c']);
  }),

  contractCase('a void park frees the entries that need a session', async (scene) => {
    await scene.capture(aChange('a'));
    await needSession(scene, 'a');
    await scene.store.park(ALICE, PARK);
    await scene.store.voidPark(ALICE);
    assert.deepEqual(await scene.due(), ['a']);
  }),

  contractCase('a renewed entry is no backlog, and asks for the same as before', async (scene) => {
    await scene.capture(aChange('a'), aChange('b', { operation: 'unpublish', keepRecord: true }));
    const { version: _, ...before } = await scene.entry('b');
    assert.equal((await scene.store.lane(ALICE)).justFreed, false);
    await makeBacklog(scene);
    assert.equal((await scene.store.lane(ALICE)).justFreed, true);
    await scene.store.renew(ALICE, [uriOf('b'), uriOf('nothing is here')]);
    assert.deepEqual(await scene.due(), ['b']);
    const { version: __, ...after } = await scene.entry('b');
    assert.deepEqual(after, before);
    assert.equal(await scene.store.countForDid(ALICE), 2);
  }),
];

/** Makes all pending entries of Alice backlog. */
async function makeBacklog(scene: Scene): Promise<void> {
  await scene.store.park(ALICE, PARK);
  await scene.store.unpark(ALICE, { retry: false });
  await scene.pass(2);
}

async function needSession(scene: Scene, rkey: string): Promise<void> {
  const entry = await scene.entry(rkey);
  await scene.leased((lease) =>
    scene.store.failed(lease, [failedTry(entry, { countsAttempt: false, needsSession: true })]),
  );
  await scene.pass(2);
}
