import assert from 'node:assert/strict';
import type { LaneNext, PendingChange } from '../../../../lib/pending/pending-entry.js';
import type { ContractCase } from '../contract-case.js';
import { aChange, ALICE, BOB, contractCase, failedTry, LONG, PARK, type Scene, settled } from './fixtures.js';

const CAROL = 'did:plc:carol';

const found = (rkey: string, rest: Partial<PendingChange> & { did?: string } = {}): PendingChange =>
  aChange(rkey, { ...rest, backfill: true });

const inFuture = (milliseconds = LONG): Date => new Date(Date.now() + milliseconds);

/** Backfill comes after live changes, within its lane, and its lane among the others. */
export const backfillCases = (span: number): ContractCase[] => [
  contractCase('an address that was only captured as backfill is backfill', async (scene) => {
    await scene.store.capture([found('a'), aChange('b')]);
    await scene.store.capture([found('a')]);
    assert.deepEqual(await backfillOf(scene, 'a', 'b'), [true, false]);
    assert.equal((await scene.store.due(ALICE, { limit: 10, backlog: false })).at(-1)?.backfill, true);
  }),

  contractCase('a live capture makes a backfill entry live', async (scene) => {
    await scene.store.capture([found('a'), found('b')]);
    await scene.store.capture([aChange('a')]);
    assert.deepEqual(await backfillOf(scene, 'a', 'b'), [false, true]);
  }),

  contractCase('a backfill capture leaves a live entry live', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const { version } = await scene.entry('a');
    await scene.store.capture([found('a')]);
    const entry = await scene.entry('a');
    assert.equal(entry.backfill, false);
    assert.ok(entry.version > version, 'the version is raised all the same');
  }),

  contractCase('one live change in a capture makes its address live', async (scene) => {
    await scene.store.capture([found('a'), aChange('a'), aChange('b'), found('b'), found('c'), found('c')]);
    assert.deepEqual(await backfillOf(scene, 'a', 'b', 'c'), [false, false, true]);
  }),

  contractCase('an address that another entity gives up now is live', async (scene) => {
    const givenUp = { entityId: '1', operation: 'unpublish', givenUp: true } as const;
    await scene.store.capture([found('a', { entityId: '2' }), found('b', { entityId: '2' })]);
    await scene.store.capture([aChange('a', givenUp), found('b', givenUp)]);
    assert.deepEqual(await backfillOf(scene, 'a', 'b'), [false, true]);
    assert.equal((await scene.entry('a')).entityId, '2');
  }),

  contractCase('a settled address begins anew as live or as backfill, as it is captured', async (scene) => {
    await scene.store.capture([aChange('a'), found('b')]);
    const entries = [await scene.entry('a'), await scene.entry('b')];
    await scene.leased((lease) =>
      scene.store.settle(
        lease,
        entries.map((entry) => settled(entry)),
      ),
    );
    await scene.store.capture([found('a'), aChange('b')]);
    assert.deepEqual(await backfillOf(scene, 'a', 'b'), [true, false]);
  }),

  contractCase('due gives backfill last, however old it is', async (scene) => {
    await scene.capture(found('a'), aChange('d'), found('b'), aChange('c'));
    assert.deepEqual(await scene.due(), ['d', 'c', 'a', 'b']);
    assert.deepEqual(await scene.due({ limit: 3, backlog: true }), ['d', 'c', 'a']);
    await scene.capture(aChange('b'));
    assert.deepEqual(await scene.due(), ['d', 'b', 'c', 'a'], 'what became live keeps its age');
  }),

  contractCase('backfill that has to wait is not due before its time', async (scene) => {
    await scene.capture(found('a'), aChange('b'));
    await give(scene, { backfillAt: inFuture() });
    assert.deepEqual(await scene.due(), ['b']);
    assert.deepEqual(await scene.due({ backlog: true }), ['b']);
    assert.deepEqual(await backfillOf(scene, 'a'), [true], 'it is still there');
  }),

  contractCase('a lane whose backfill has to wait is not ready before its time', async (scene) => {
    await wakeFor(scene, found('a'));
    await give(scene, { backfillAt: inFuture() });
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.store.wake(ALICE, { backfill: true });
    await scene.peer.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), [], 'no wake shortens the wait of what is not live');
    assert.equal((await scene.store.lane(ALICE)).retryAt, null, 'it is not backed off');
  }),

  contractCase('backfill that had to wait goes on automatically after its time', async (scene) => {
    await wakeFor(scene, found('a'));
    await give(scene, { backfillAt: inFuture(span) });
    await scene.pass(span);
    assert.deepEqual(await scene.peer.readyLanes(10), [ALICE]);
    assert.deepEqual(await scene.due(), ['a']);
  }),

  contractCase('a lane with only backfill comes after all others, however long it waits', async (scene) => {
    await wakeFor(scene, found('a'));
    await wakeFor(scene, found('x', { did: BOB }));
    await scene.pass(span);
    await wakeFor(scene, aChange('x', { did: CAROL }));
    assert.deepEqual(await scene.store.readyLanes(10), [CAROL, ALICE, BOB]);
    assert.deepEqual(await scene.store.readyLanes(1), [CAROL]);
    await wakeFor(scene, aChange('y', { did: BOB }));
    assert.deepEqual(await scene.store.readyLanes(10), [CAROL, BOB, ALICE]);
  }),

  contractCase('a lane with only backfill is ready when no other lane is', async (scene) => {
    await wakeFor(scene, found('a'));
    assert.deepEqual(await scene.peer.readyLanes(10), [ALICE]);
    const entry = await scene.entry('a');
    await scene.leased((lease) => scene.store.settle(lease, [settled(entry)]));
    assert.deepEqual(await scene.store.readyLanes(10), []);
  }),

  contractCase('among backfill, the lane that waits longest comes first, up to the limit', async (scene) => {
    for (const did of [CAROL, ALICE, BOB]) await wakeFor(scene, found('x', { did }));
    await wakeFor(scene, found('y', { did: CAROL }));
    assert.deepEqual(await scene.store.readyLanes(2), [CAROL, ALICE]);
    await give(scene, { backfillAt: inFuture(span) }, CAROL);
    await scene.pass(span);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE, BOB, CAROL], 'who had a turn goes behind');
  }),

  contractCase('a lane woken for backfill that it does not have is not ready', async (scene) => {
    await scene.store.wake(ALICE, { backfill: true });
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await wakeFor(scene, found('a'));
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
    await scene.store.removeForDid(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), []);
  }),

  contractCase('live work does not wait for the backfill of its lane', async (scene) => {
    await wakeFor(scene, found('a'));
    await give(scene, { backfillAt: inFuture() });
    await wakeFor(scene, aChange('b'));
    assert.deepEqual(await scene.peer.readyLanes(10), [ALICE]);
    assert.deepEqual(await scene.due(), ['b']);
    await scene.store.capture([aChange('a')]);
    assert.deepEqual(await scene.due(), ['a', 'b'], 'what became live has waited long enough');
  }),

  contractCase('a lane given back asleep keeps when its backfill may go on', async (scene) => {
    await wakeFor(scene, found('a'));
    await give(scene, { backfillAt: inFuture() });
    await wakeFor(scene, aChange('b'));
    await give(scene, 'asleep');
    assert.deepEqual(await scene.store.readyLanes(10), []);
    assert.deepEqual(await scene.due(), ['b']);
    await give(scene, { backfillAt: inFuture(span) });
    await give(scene, 'asleep');
    await scene.pass(span);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane whose backfill was attempted sleeps like any other', async (scene) => {
    await wakeFor(scene, found('a'));
    const entry = await scene.entry('a');
    await scene.leased((lease) => scene.store.failed(lease, [failedTry(entry, { countsAttempt: false })]));
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.pass(span);
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.store.wake(ALICE, { backfill: true });
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane that is given back as before is ready if it was', async (scene) => {
    await wakeFor(scene, aChange('a'));
    await give(scene, 'as-before');
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane that is given back as before sleeps if it did', async (scene) => {
    await scene.capture(aChange('a'), found('b'));
    await give(scene, 'as-before');
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await wakeFor(scene, aChange('a'));
    await give(scene, 'asleep');
    await give(scene, 'as-before');
    await scene.pass(span);
    assert.deepEqual(await scene.store.readyLanes(10), []);
  }),

  contractCase('a lane given back as before comes last again with its backfill', async (scene) => {
    await wakeFor(scene, found('a'));
    await wakeFor(scene, aChange('x', { did: BOB }));
    await give(scene, 'as-before');
    assert.deepEqual(await scene.store.readyLanes(10), [BOB, ALICE]);
  }),

  contractCase('backfill that has to wait still has to when its lane is as before', async (scene) => {
    await wakeFor(scene, found('a'));
    await give(scene, { backfillAt: inFuture() });
    await give(scene, 'as-before');
    assert.deepEqual(await scene.store.readyLanes(10), []);
    assert.deepEqual(await scene.due(), []);
    await give(scene, { backfillAt: inFuture(span) });
    await give(scene, 'as-before');
    await scene.pass(span);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a lane that is given back ready is ready at once', async (scene) => {
    await scene.capture(aChange('a'));
    await give(scene, 'ready');
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
    await wakeFor(scene, aChange('x', { did: BOB }));
    await give(scene, 'ready');
    assert.deepEqual(await scene.store.readyLanes(10), [BOB, ALICE], 'it had its turn');
  }),

  contractCase('a wake while the lane is leased is not lost when it is as before', async (scene) => {
    await give(scene, 'as-before', ALICE, () => wakeFor(scene, aChange('a')));
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a wake while the lane is leased is not lost when its backfill has to wait', async (scene) => {
    await scene.capture(found('a'));
    await give(scene, { backfillAt: inFuture() }, ALICE, () => wakeFor(scene, aChange('b')));
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
    assert.deepEqual(await scene.due(), ['b']);
  }),

  contractCase('backfill that is found while the lane is leased is not lost', async (scene) => {
    const ends: LaneNext[] = ['asleep', 'as-before', 'ready', { backfillAt: new Date() }];
    for (const [index, next] of ends.entries()) {
      const did = `did:plc:d${index}`;
      await give(scene, next, did, () => wakeFor(scene, found('x', { did })));
      assert.deepEqual(await scene.store.readyLanes(10), [did], `after ${JSON.stringify(next)}`);
      await scene.store.removeForDid(did);
    }
  }),

  contractCase('backfill that is found while the lane is leased comes after live work', async (scene) => {
    await give(scene, 'asleep', ALICE, () => wakeFor(scene, found('a')));
    await scene.pass(2);
    await wakeFor(scene, aChange('x', { did: BOB }));
    assert.deepEqual(await scene.store.readyLanes(10), [BOB, ALICE]);
  }),

  contractCase('a lane with only backfill comes last also after a backoff', async (scene) => {
    await wakeFor(scene, found('a'));
    await give(scene, { retryAt: inFuture(span) });
    await scene.pass(span);
    await wakeFor(scene, aChange('x', { did: BOB }));
    assert.deepEqual(await scene.store.readyLanes(10), [BOB, ALICE]);
  }),

  contractCase('a lane with only backfill is not ready while it is backed off', async (scene) => {
    await wakeFor(scene, found('a'));
    await give(scene, { retryAt: inFuture() });
    await scene.store.wake(ALICE, { backfill: true });
    assert.deepEqual(await scene.store.readyLanes(10), []);
    assert.ok((await scene.store.lane(ALICE)).retryAt);
  }),

  contractCase('a lane whose holder died over its backfill is ready', async (scene) => {
    await wakeFor(scene, found('a'));
    await scene.lease(ALICE, span);
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.pass(span);
    assert.deepEqual(await scene.peer.readyLanes(10), [ALICE]);
    await scene.lease(ALICE, LONG, scene.peer);
  }),

  contractCase('the backfill of a parked account is not ready before unpark', async (scene) => {
    await wakeFor(scene, found('a'));
    await scene.store.park(ALICE, PARK);
    await scene.store.wake(ALICE, { backfill: true });
    assert.deepEqual(await scene.store.readyLanes(10), []);
    await scene.store.unpark(ALICE, { retry: true });
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
    await scene.store.park(ALICE, PARK);
    await scene.store.unpark(ALICE, { retry: false });
    await scene.store.wake(ALICE, { backfill: true });
    assert.deepEqual(await scene.store.readyLanes(10), [], 'backlog makes no lane ready');
  }),
];

const backfillOf = async (scene: Scene, ...rkeys: string[]): Promise<boolean[]> => {
  const flags: boolean[] = [];
  for (const rkey of rkeys) flags.push((await scene.entry(rkey)).backfill);
  return flags;
};

async function wakeFor(scene: Scene, change: PendingChange): Promise<void> {
  await scene.store.capture([change]);
  await scene.peer.wake(change.address.did, { backfill: change.backfill });
  await scene.pass(2);
}

/** Leases a lane, and gives it back. */
async function give(
  scene: Scene,
  next: LaneNext,
  did = ALICE,
  meanwhile: () => Promise<void> = () => scene.pass(2),
): Promise<void> {
  const lease = await scene.lease(did);
  await meanwhile();
  await scene.store.release(lease, { next, failures: 0 });
}
