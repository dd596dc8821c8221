import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { leaseOf, aChange, ALICE, BOB, contractCase, LONG, settled } from './fixtures.js';

export const leaseCases = (span: number): ContractCase[] => [
  contractCase('a leased lane is given to no other worker', async (scene) => {
    await scene.lease();
    assert.equal(await leaseOf(scene.peer, ALICE, LONG), null);
    assert.equal(await leaseOf(scene.store, ALICE, LONG), null);
    await scene.lease(BOB);
  }),

  contractCase('of several workers that ask for a lane at once, one gets it', async (scene) => {
    for (let round = 0; round < 5; round++) {
      const asking = [scene.store, scene.peer, scene.store, scene.peer].map((store) =>
        leaseOf(store, ALICE, LONG),
      );
      const [winner, ...others] = (await Promise.all(asking)).filter((lease) => lease !== null);
      assert.ok(winner);
      assert.deepEqual(others, []);
      await scene.release(winner);
    }
  }),

  contractCase('tokens grow with every lease', async (scene) => {
    const first = await scene.lease();
    await scene.release(first);
    const second = await scene.lease(ALICE, span);
    assert.ok(second.token > first.token);
    await scene.pass(span);
    const third = await scene.lease(ALICE, LONG, scene.peer);
    assert.ok(third.token > second.token);
  }),

  contractCase("a lease tells when it ends, on this process's monotonic clock", async (scene) => {
    const before = performance.now();
    const lease = await scene.lease(ALICE, LONG);
    assert.equal(lease.did, ALICE);
    assert.ok(lease.endsAt >= before + LONG - 1 && lease.endsAt <= performance.now() + LONG);
    const later = performance.now();
    const extended = await scene.store.extend(lease, 2 * LONG);
    assert.ok(extended && extended.endsAt >= later + 2 * LONG - 1);
    assert.ok(extended.endsAt <= performance.now() + 2 * LONG);
  }),

  contractCase('a lane that was given back is free', async (scene) => {
    await scene.release(await scene.lease());
    await scene.lease(ALICE, LONG, scene.peer);
  }),

  contractCase('a lease that has ended can be taken', async (scene) => {
    await scene.lease(ALICE, span);
    await scene.pass(span);
    await scene.lease(ALICE, LONG, scene.peer);
  }),

  contractCase('an extended lease lasts longer', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const entry = await scene.entry('a');
    const extended = await scene.store.extend(await scene.lease(ALICE, span), LONG);
    assert.ok(extended);
    await scene.pass(span);
    assert.equal(await leaseOf(scene.peer, ALICE, LONG), null);
    assert.equal(await scene.store.settle(extended, [settled(entry)]), true);
  }),

  contractCase('a lease that another worker has taken over cannot be extended', async (scene) => {
    const stale = await scene.staleLease(span);
    assert.equal(await scene.store.extend(stale, LONG), null);
  }),

  contractCase('a lease that was given back cannot be extended', async (scene) => {
    const lease = await scene.lease();
    await scene.release(lease);
    assert.equal(await scene.store.extend(lease, LONG), null);
    await scene.lease(ALICE, LONG, scene.peer);
  }),

  contractCase('release changes nothing once another worker has taken the lane over', async (scene) => {
    const stale = await scene.staleLease(span);
    await scene.store.release(stale, { next: { retryAt: new Date(Date.now() + LONG) }, failures: 7 });
    assert.equal(await leaseOf(scene.store, ALICE, LONG), null);
    const { retryAt, failures } = await scene.store.lane(ALICE);
    assert.deepEqual([retryAt, failures], [null, 0]);
  }),

  contractCase('capture does not wait for a lease', async (scene) => {
    await scene.lease();
    await scene.peer.capture([aChange('a')]);
    assert.deepEqual(await scene.due(), ['a']);
  }),
];
