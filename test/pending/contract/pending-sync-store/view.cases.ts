import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import {
  aChange,
  ALICE,
  BOB,
  contractCase,
  failedTry,
  LONG,
  PARK,
  type Scene,
  settled,
  uriOf,
} from './fixtures.js';

/** What a store tells its readers. */
export const viewCases = (): ContractCase[] => [
  contractCase('inspect gives the pending sync or dead letter of an address, or null', async (scene) => {
    await scene.capture(aChange('a'));
    const { sync } = await scene.entry('a');
    const fresh = { sync, tried: false, needsSession: false, backlog: false, inConflict: false, dead: null };
    assert.deepEqual(await scene.store.inspect(uriOf('a')), fresh);
    assert.equal(await scene.store.inspect(uriOf('b')), null);
    assert.equal(await scene.store.inspect('no at-uri'), null);
    const entry = await scene.entry('a');
    await scene.leased((lease) => scene.store.settle(lease, [settled(entry)]));
    assert.equal(await scene.store.inspect(uriOf('a')), null);
  }),

  contractCase('inspect tells whether an entry was attempted since its last capture', async (scene) => {
    await scene.capture(aChange('a'));
    await fail(scene, 'a');
    assert.equal((await scene.store.inspect(uriOf('a')))?.tried, true);
    await scene.capture(aChange('a'));
    const kept = await scene.store.inspect(uriOf('a'));
    assert.deepEqual([kept?.tried, kept?.sync.attempts], [false, 0]);
  }),

  contractCase('inspect tells what an entry waits for', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    await fail(scene, 'a', true);
    assert.equal((await scene.store.inspect(uriOf('a')))?.needsSession, true);
    await scene.store.unpark(ALICE, { retry: false });
    const kept = await scene.store.inspect(uriOf('a'));
    assert.deepEqual([kept?.needsSession, kept?.backlog], [false, true]);
    await scene.capture(aChange('b'));
    assert.equal((await scene.store.inspect(uriOf('b')))?.backlog, false);
  }),

  contractCase('stats counts pending syncs, parked and leased lanes, if it can', async (scene) => {
    const nothing = { pending: 0, parked: 0, leased: 0, dead: 0, oldestWaiting: null };
    const empty = await scene.store.stats();
    if (empty === null) return;
    assert.deepEqual(empty, nothing);
    await scene.capture(aChange('a'), aChange('b'), aChange('x', { did: BOB, backfill: true }));
    const oldest = (await scene.entry('a')).sync.createdAt;
    await scene.store.park(BOB, PARK);
    const lease = await scene.lease();
    const { oldestWaiting, ...counts } = (await scene.store.stats()) ?? nothing;
    assert.deepEqual(counts, { pending: 3, parked: 1, leased: 1, dead: 0 });
    assert.equal(oldestWaiting?.toISOString(), oldest);
    await scene.release(lease);
    await scene.store.unpark(BOB, { retry: true });
    for (const did of [ALICE, BOB]) await scene.store.removeForDid(did);
    assert.deepEqual(await scene.store.stats(), nothing);
  }),
];

/** Cases of stores that remember settled entries. */
export const memoryCases = (): ContractCase[] => [
  contractCase('a discarded entry is a dead letter until it is requeued', async (scene) => {
    const { store } = scene;
    await scene.capture(aChange('a'), aChange('b', { did: BOB }));
    const entry = await scene.entry('a');
    await fail(scene, 'a');
    await scene.leased((lease) => store.discard(lease, [{ entry, reason: 'invalid' }]));
    const kept = await store.inspect(uriOf('a'));
    assert.equal(kept?.dead?.reason, 'invalid');
    const { letters } = await store.deadLetters.list();
    assert.deepEqual(
      letters.map(({ sync, reason }) => [sync.uri, reason]),
      [[uriOf('a'), 'invalid']],
    );
    assert.equal((await store.stats())?.dead, 1);
    assert.deepEqual((await store.deadLetters.list({ did: BOB })).letters, []);
    assert.equal(await store.deadLetters.requeue(uriOf('b', BOB)), false, 'it is none');
    assert.equal(await store.deadLetters.requeue(uriOf('a')), true);
    assert.deepEqual(await store.readyLanes(10), [ALICE]);
    assert.equal((await scene.entry('a')).sync.attempts, 0);
    assert.deepEqual((await store.deadLetters.list()).letters, []);
  }),

  contractCase('dead letters come in pages, oldest first, and can be purged', async (scene) => {
    const rkeys = ['c', 'a', 'b'];
    for (const rkey of rkeys) {
      await scene.capture(aChange(rkey));
      const entry = await scene.entry(rkey);
      await scene.leased((lease) => scene.store.discard(lease, [{ entry, reason: 'invalid' }]));
    }
    const { deadLetters } = scene.store;
    const first = await deadLetters.list({ limit: 2 });
    assert.ok(first.next);
    const second = await deadLetters.list({ limit: 2, after: first.next });
    const shown = [...first.letters, ...second.letters].map(({ sync }) => sync.rkey);
    assert.deepEqual([shown, second.next], [rkeys, null]);
    assert.equal(await deadLetters.purge(new Date(Date.now() - LONG)), 0);
    assert.equal(await deadLetters.purge(new Date(Date.now() + LONG)), 3);
    assert.deepEqual((await deadLetters.list()).letters, []);
    assert.equal(await scene.store.inspect(uriOf('a')), null);
  }),

  contractCase('written gives the addresses with a record and nothing pending, in pages', async (scene) => {
    const { store } = scene;
    const rkeys = ['a', 'b', 'c', 'gone', 'kept', 'pending'];
    await store.capture(rkeys.map((rkey) => aChange(rkey, { keepRecord: rkey === 'kept' })));
    await store.capture([aChange('note', { entityName: 'Note' }), aChange('a', { did: BOB })]);
    for (const did of [ALICE, BOB]) {
      const lease = await scene.lease(did);
      const entries = await store.due(did, { limit: 100, backlog: true });
      const done = entries.map((entry) => settled(entry, entry.sync.rkey === 'gone' ? null : 'bafyrecord'));
      assert.equal(await store.settle(lease, done), true);
      await scene.release(lease);
    }
    await store.capture([aChange('pending')]);
    const found: string[] = [];
    for (let after: string | null = null; ; after = found.at(-1) ?? null) {
      const page = await store.written('Post', { after, limit: 2 });
      if (page.length === 0) break;
      assert.ok(page.length <= 2 && page.every(({ cid }) => cid === 'bafyrecord'));
      for (const { address, entityId } of page) {
        assert.equal(entityId, address.rkey);
        found.push(uriOf(address.rkey, address.did));
      }
    }
    assert.deepEqual(found.toSorted(), [uriOf('a'), uriOf('b'), uriOf('c'), uriOf('a', BOB)].toSorted());
  }),
];

async function fail(scene: Scene, rkey: string, needsSession = false): Promise<void> {
  const entry = await scene.entry(rkey);
  await scene.leased((lease) => scene.store.failed(lease, [failedTry(entry, { needsSession })]));
}
