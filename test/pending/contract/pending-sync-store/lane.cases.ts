import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import {
  leaseOf,
  aChange,
  ALICE,
  BOB,
  contractCase,
  failedTry,
  LONG,
  PARK,
  type Scene,
  settled,
} from './fixtures.js';

const IDLE = { did: ALICE, park: null, justFreed: false, retryAt: null, failures: 0 };

export const laneCases = (span: number): ContractCase[] => [
  contractCase('due gives the oldest first, up to the limit', async (scene) => {
    await scene.capture(aChange('b'), aChange('a'), aChange('c'), aChange('x', { did: BOB }));
    assert.deepEqual(await scene.due(), ['b', 'a', 'c']);
    assert.deepEqual(await scene.due({ limit: 2 }), ['b', 'a']);
    assert.deepEqual(await scene.due({ did: 'did:plc:nobody' }), []);
  }),

  contractCase('the lane of an unknown account is idle', async ({ store }) => {
    assert.deepEqual(await store.lane(ALICE), IDLE);
    assert.deepEqual(await store.readyLanes(10), []);
  }),

  contractCase('release keeps when to retry, and the failures in a row', async ({ store, peer }) => {
    await store.capture([aChange('a')]);
    const lease = await leaseOf(store, ALICE, LONG);
    assert.ok(lease);
    const retryAt = new Date(Date.now() + LONG);
    await store.release(lease, { next: { retryAt }, failures: 3 });
    const lane = await peer.lane(ALICE);
    assert.equal(lane.failures, 3);
    assert.ok(lane.retryAt && Math.abs(lane.retryAt.getTime() - retryAt.getTime()) < 1_000);
    const again = await leaseOf(store, ALICE, LONG);
    assert.ok(again, 'a lane that is backed off can still be leased');
    await store.release(again, { next: 'asleep', failures: 0 });
    assert.deepEqual(await store.lane(ALICE), IDLE);
  }),

  contractCase('park keeps its reason, session and code, and changes no entry', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    const before = await scene.store.at(ALICE, [(await scene.entry('a')).sync.uri]);
    await scene.store.park(ALICE, PARK);
    assert.deepEqual((await scene.peer.lane(ALICE)).park, PARK);
    assert.deepEqual(await scene.store.at(ALICE, [(await scene.entry('a')).sync.uri]), before);
    assert.equal((await scene.store.lane(BOB)).park, null);
  }),

  contractCase('a lane without entries can be parked, and parked again', async ({ store }) => {
    const takenDown = { reason: 'taken down', sessionId: null, code: 'AUTHENTICATION_FAILED' };
    await store.park(ALICE, PARK);
    await store.park(ALICE, takenDown);
    assert.deepEqual((await store.lane(ALICE)).park, takenDown);
  }),

  contractCase('unpark frees the lane', async (scene) => {
    await scene.capture(aChange('a'));
    await scene.store.park(ALICE, PARK);
    await scene.store.unpark(ALICE, { retry: true });
    assert.equal((await scene.store.lane(ALICE)).park, null);
    assert.deepEqual(await scene.due(), ['a']);
    await scene.store.unpark('did:plc:nobody', { retry: false });
  }),

  contractCase('after unpark without retry, only later changes are due', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    await scene.store.park(ALICE, PARK);
    await scene.store.unpark(ALICE, { retry: false });
    assert.deepEqual(await scene.due(), []);
    await scene.capture(aChange('c'));
    assert.deepEqual(await scene.due(), ['c']);
    assert.deepEqual(await scene.due({ backlog: true }), ['a', 'b', 'c']);
  }),

  contractCase('an entry that is captured again is no longer backlog', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    await scene.store.park(ALICE, PARK);
    await scene.store.unpark(ALICE, { retry: false });
    await scene.capture(aChange('b'));
    assert.deepEqual(await scene.due(), ['b']);
  }),

  contractCase('unpark with retry frees the backlog of earlier unparks', async (scene) => {
    await scene.capture(aChange('a'));
    await scene.store.park(ALICE, PARK);
    await scene.store.unpark(ALICE, { retry: false });
    await scene.store.unpark(ALICE, { retry: true });
    assert.deepEqual(await scene.due(), ['a']);
  }),

  contractCase('a lane with something due is ready', async (scene) => {
    await wakeWith(scene, aChange('a'));
    assert.deepEqual(await scene.peer.readyLanes(10), [ALICE]);
    const entry = await scene.entry('a');
    await scene.leased((lease) => scene.store.settle(lease, [settled(entry)]));
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), [], 'to be woken for nothing is no work');
  }),

  contractCase('a leased lane is not ready before it is given back', async (scene) => {
    await wakeWith(scene, aChange('a'));
    const lease = await scene.lease();
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.peer.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.release(lease);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane that was not woken is not ready, whatever it holds', async (scene) => {
    await scene.capture(aChange('a'));
    assert.deepEqual(await scene.store.readyLanes(10), []);
    assert.deepEqual(await scene.due(), ['a']);
  }),

  contractCase('a lane that is given back sleeps until it is woken', async (scene) => {
    await wakeWith(scene, aChange('a'));
    await scene.leased(() => scene.pass(2));
    await scene.pass(span);
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.capture(aChange('a'), aChange('b'));
    assert.deepEqual(await scene.store.readyLanes(10), []);
    assert.deepEqual(await scene.due(), ['a', 'b']);
    await scene.peer.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane that is given back sleeps until it is unparked with retry', async (scene) => {
    await wakeWith(scene, aChange('a'));
    await scene.leased(() => scene.pass(2));
    await scene.store.unpark(ALICE, { retry: true });
    assert.deepEqual(await scene.peer.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane whose lease has ended is ready', async (scene) => {
    await wakeWith(scene, aChange('a'));
    await scene.lease(ALICE, span);
    await scene.pass(span);
    assert.deepEqual(await scene.peer.readyLanes(10), [ALICE]);
  }),

  contractCase('a wake while the lane is leased makes it ready afterwards', async (scene) => {
    await scene.leased(() => wakeWith(scene, aChange('a')));
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a sign-in while the lane is leased makes it ready afterwards', async (scene) => {
    await wakeWith(scene, aChange('a'));
    await scene.leased(async () => {
      await scene.peer.park(ALICE, PARK);
      await scene.peer.unpark(ALICE, { retry: true });
    });
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane that is backed off is not ready before its time', async (scene) => {
    await wakeWith(scene, aChange('a'));
    const lease = await scene.lease();
    await scene.store.release(lease, { next: { retryAt: new Date(Date.now() + LONG) }, failures: 1 });
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), []);
  }),

  contractCase('a lane that was backed off is ready in time', async (scene) => {
    await wakeWith(scene, aChange('a'));
    const lease = await scene.lease();
    await scene.store.release(lease, { next: { retryAt: new Date(Date.now() + span) }, failures: 1 });
    await scene.pass(span);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane that was backed off is ready when it is unparked with retry', async (scene) => {
    await wakeWith(scene, aChange('a'));
    const lease = await scene.lease();
    await scene.store.release(lease, { next: { retryAt: new Date(Date.now() + LONG) }, failures: 1 });
    await scene.store.unpark(ALICE, { retry: true });
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
    assert.equal((await scene.store.lane(ALICE)).retryAt, null);
  }),

  contractCase('a lane that a worker has leased does not back off', async (scene) => {
    const lease = await scene.lease();
    await scene.store.release(lease, { next: { retryAt: new Date(Date.now() + LONG) }, failures: 1 });
    await scene.lease();
    assert.equal((await scene.peer.lane(ALICE)).retryAt, null);
  }),

  contractCase('a parked lane is not ready before unpark', async (scene) => {
    await wakeWith(scene, aChange('a'));
    await scene.store.park(ALICE, PARK);
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.store.unpark(ALICE, { retry: true });
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane that was parked is not backed off when it is unparked', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const lease = await scene.lease();
    await scene.store.park(ALICE, PARK);
    await scene.store.release(lease, { next: { retryAt: new Date(Date.now() + LONG) }, failures: 1 });
    await scene.store.unpark(ALICE, { retry: false });
    assert.equal((await scene.peer.lane(ALICE)).retryAt, null);
    await wakeWith(scene, aChange('b'));
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('backlog alone makes no lane ready', async (scene) => {
    await wakeWith(scene, aChange('a'));
    await scene.store.park(ALICE, PARK);
    await scene.store.unpark(ALICE, { retry: false });
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await wakeWith(scene, aChange('b'));
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('entries that need a session alone make no lane ready', async (scene) => {
    await wakeWith(scene, aChange('a'));
    const entry = await scene.entry('a');
    await scene.leased((lease) => scene.store.failed(lease, [failedTry(entry, { needsSession: true })]));
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.store.unpark(ALICE, { retry: true });
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('the lane that waits longest comes first, up to the limit', async (scene) => {
    for (const did of ['did:plc:c', 'did:plc:a', 'did:plc:b']) await wakeWith(scene, aChange('x', { did }));
    assert.deepEqual(await scene.store.readyLanes(2), ['did:plc:c', 'did:plc:a']);
  }),

  contractCase('a lane that had its turn comes after those that wait', async (scene) => {
    await wakeWith(scene, aChange('a'));
    await wakeWith(scene, aChange('b'));
    await wakeWith(scene, aChange('x', { did: BOB }));
    await scene.leased(async () => {
      await scene.store.wake(ALICE);
      await scene.pass(2);
    });
    assert.deepEqual(await scene.store.readyLanes(10), [BOB, ALICE]);
  }),
];

async function wakeWith(scene: Scene, change: ReturnType<typeof aChange>): Promise<void> {
  await scene.store.capture([change]);
  await scene.store.wake(change.address.did);
  await scene.pass(2);
}
