import KeyvRedis, { createKeyv, Keyv } from '@keyv/redis';
import { type Cache, createCache } from 'cache-manager';
import { randomBytes } from 'node:crypto';
import { CachePendingSyncStore } from '../../lib/pending/cache/cache-pending-sync.store.js';
import type { PendingChange, PendingEntry } from '../../lib/pending/pending-entry.js';
import { describeIf, serverUrl } from '../support/servers.js';

const HOUR = 3_600_000;
const ALICE = 'did:plc:alice';
const URI = `at://${ALICE}/com.example.post/a`;

function aChange({
  did = ALICE,
  rkey = 'a',
  ...rest
}: Partial<PendingChange> & { did?: string; rkey?: string } = {}) {
  return {
    address: { did, collection: 'com.example.post', rkey },
    entityName: 'Post',
    entityId: '1',
    operation: 'publish',
    trigger: 'auto',
    cid: null,
    keepRecord: false,
    givenUp: false,
    orphaned: false,
    mayDelete: false,
    backfill: false,
    ...rest,
  } satisfies PendingChange;
}

/** The Map below a cache in memory. */
const valuesOf = (cache: Cache) => cache.stores[0]!.store as Map<string, string>;

function aStore(cache: Cache, ttl: number | null = 3_600) {
  let passed = 0;
  const store = new CachePendingSyncStore({ cache, ttl, now: () => Date.now() + passed });
  return { store, pass: (milliseconds: number) => void (passed += milliseconds) };
}

it('keeps no value for an account that has nothing pending', async () => {
  const cache = createCache();
  const { store } = aStore(cache);
  await store.capture([aChange(), aChange({ rkey: 'b' })]);
  expect(valuesOf(cache).size).toBe(1);
  const lease = (await store.lease(ALICE, 1_000))!;
  const [a] = await store.at(ALICE, [URI]);
  await store.settle(lease, [{ uri: URI, version: a!.version }]);
  await store.remove(`at://${ALICE}/com.example.post/b`);
  await store.release(lease, { next: 'asleep', failures: 0 });
  await store.unpark(ALICE, { retry: false });
  expect(valuesOf(cache).size).toBe(0);
});

it('lets a record that failed rest for a minute, and each time twice as long up to an hour', async () => {
  const { store, pass } = aStore(createCache(), null);
  await store.capture([aChange()]);
  const due = async () => (await store.due(ALICE, { limit: 1, backlog: false })).length;
  for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60]) {
    const lease = (await store.lease(ALICE, 1_000))!;
    const [{ version }] = (await store.at(ALICE, [URI])) as [PendingEntry];
    await store.failed(lease, [{ uri: URI, version, error: 'no', spendsAttempt: true, needsSession: false }]);
    await store.release(lease, { next: 'asleep', failures: 0 });
    pass(minutes * 60_000 - 5_000);
    expect(await due()).toBe(0);
    pass(5_000);
    expect(await due()).toBe(1);
    await store.wake(ALICE);
    expect(await store.readyLanes(1)).toEqual([ALICE]);
  }
});

it('gives an address whose value was forgotten a greater version, in a new process too', async () => {
  const cache = createCache();
  const versions: number[] = [];
  for (let process = 0; process < 2; process++) {
    const { store } = aStore(cache);
    for (let round = 0; round < 2; round++) {
      await store.capture([aChange()]);
      versions.push((await store.at(ALICE, [URI]))[0]!.version);
      await store.removeForDid(ALICE);
      expect(valuesOf(cache).size).toBe(0);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(versions).toEqual([...new Set(versions)].toSorted((one, other) => one - other));
});

it('is not ended by the default ttl of the cache', async () => {
  const cache = createCache({ ttl: 1, stores: [new Keyv({ ttl: 1 })] });
  const { store } = aStore(cache, null);
  await store.capture([aChange()]);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(await store.hasForDid(ALICE)).toBe(true);
});

it('finds what an earlier process left in the cache', async () => {
  const cache = createCache();
  const former = aStore(cache).store;
  await former.capture([aChange()]);
  await former.wake(ALICE);
  const { store, pass } = aStore(cache);
  expect(await store.readyLanes(10)).toEqual([ALICE]);
  pass(2 * HOUR);
  expect((await store.cleanup()).map(({ sync }) => sync.uri)).toEqual([URI]);
});

it('gives up after seven days what no process knows, and nothing of a parked account', async () => {
  const { store, pass } = aStore(createCache(), null);
  const entityName = 'Unknown';
  await store.capture([
    aChange({ entityName }),
    aChange({ entityName, rkey: 'gone', operation: 'unpublish', givenUp: true, orphaned: true }),
    aChange({ rkey: 'known' }),
    aChange({ entityName, did: 'did:plc:parked' }),
  ]);
  await store.park('did:plc:parked', { reason: 'revoked', sessionId: null, code: 'OAUTH_SESSION_INVALID' });
  store.leave(entityName);
  pass(6 * 24 * HOUR);
  expect(await store.cleanup()).toEqual([]);
  pass(24 * HOUR);
  expect(await store.cleanup()).toEqual([
    {
      sync: expect.objectContaining({ uri: URI }) as object,
      reason: "no process that was running in 7 days has known an entity class by the name 'Unknown'",
    },
  ]);
  expect(await store.cleanup()).toEqual([]);
});

it('wakes by a sweep what an earlier process captured and woke not, and nothing that was tried', async () => {
  const cache = createCache();
  const { store: former } = aStore(cache);
  await former.capture([aChange(), aChange({ did: 'did:plc:tried' }), aChange({ did: 'did:plc:parked' })]);
  const [entry] = await former.at('did:plc:tried', ['at://did:plc:tried/com.example.post/a']);
  const lease = (await former.lease('did:plc:tried', 1_000))!;
  const { uri } = entry!.sync;
  const { version } = entry!;
  await former.failed(lease, [{ uri, version, error: 'x', spendsAttempt: true, needsSession: false }]);
  await former.release(lease, { next: 'asleep', failures: 0 });
  await former.park('did:plc:parked', { reason: 'revoked', sessionId: null, code: 'OAUTH_SESSION_INVALID' });

  const { store } = aStore(cache);
  expect(await store.sweep()).toBe(1);
  expect(await store.readyLanes(10)).toEqual([ALICE]);
  expect(await store.sweep()).toBe(0);
  await store.capture([aChange({ did: 'did:plc:tried' })]);
  const held = (await store.lease('did:plc:tried', 1_000))!;
  expect(await store.sweep()).toBe(0);
  await store.release(held, { next: 'asleep', failures: 0 });
  expect(await store.sweep()).toBe(1);
  expect((await store.readyLanes(10)).toSorted()).toEqual([ALICE, 'did:plc:tried']);
});

it('frees what expired long ago where nobody calls cleanup', async () => {
  const cache = createCache();
  const { store, pass } = aStore(cache);
  for (let account = 0; account < 5; account++)
    await store.capture([aChange({ did: `did:plc:old${account}` })]);
  await store.capture([aChange({ did: 'did:plc:gone', operation: 'unpublish' })]);
  await store.park('did:plc:parked', { reason: 'revoked', sessionId: null, code: 'OAUTH_SESSION_INVALID' });
  pass(25 * HOUR);
  for (let edit = 0; edit < 20; edit++) await store.capture([aChange()]);
  expect(valuesOf(cache).size).toBe(2);
  expect(await store.hasForDid('did:plc:gone')).toBe(true);
});

it('lets cleanup free the lanes that have ended', async () => {
  const cache = createCache();
  const { store, pass } = aStore(cache, null);
  await store.park(ALICE, { reason: 'revoked', sessionId: null, code: 'OAUTH_SESSION_INVALID' });
  pass(25 * HOUR);
  expect(await store.cleanup()).toEqual([]);
  expect(valuesOf(cache).size).toBe(0);
});

it('says when the cache did not store a change', async () => {
  const full = { ...aMap(), set: async () => false };
  const { store } = aStore(createCache({ stores: [new Keyv({ store: full })] }));
  await expect(store.capture([aChange()])).rejects.toThrow('did not store');
  expect(await store.readyLanes(10)).toEqual([]);
});

it('works with an adapter that cannot list its keys', async () => {
  const cache = createCache({ stores: [new Keyv({ store: aMap() })] });
  await aStore(cache).store.capture([aChange()]);
  const { store } = aStore(cache);
  expect(await store.readyLanes(10)).toEqual([]);
  expect(await store.hasForDid(ALICE)).toBe(true);
  await store.wake(ALICE);
  expect(await store.readyLanes(10)).toEqual([ALICE]);
});

it('does not change the objects of a cache that hands out its own', async () => {
  const keyv = new Keyv();
  keyv.serialize = undefined as never;
  keyv.deserialize = undefined as never;
  const { store } = aStore(createCache({ stores: [keyv] }));
  await store.capture([aChange()]);
  const before = await store.at(ALICE, [URI]);
  const copy = structuredClone(before);
  await store.capture([aChange({ operation: 'republish' })]);
  expect(before).toEqual(copy);
});

it('takes a batch of many changes in time that grows with their number', async () => {
  const { store } = aStore(createCache());
  const changes = Array.from({ length: 20_000 }, (_, index) => aChange({ rkey: `r${index}` }));
  await store.capture(changes);
  expect(await store.countForDid(ALICE)).toBe(changes.length);
});

describeIf('redis')('in Redis', () => {
  const url = serverUrl('redis').href;
  const unique = () => `parity-test-${randomBytes(6).toString('hex')}`;

  it.each([
    ['with a namespace', () => createKeyv(url, { namespace: unique() })],
    ['without a namespace', () => createKeyv(url)],
    ['made by hand', () => new Keyv(new KeyvRedis(url), { namespace: unique() })],
    [
      'made by hand without a prefix',
      () => new Keyv(new KeyvRedis(url, { namespace: unique() }), { useKeyPrefix: false }),
    ],
  ])('a new process finds what is pending in a Keyv %s', async (_, make) => {
    const did = `did:plc:${unique()}`;
    const cache = createCache({ stores: [make()] });
    try {
      const former = aStore(cache).store;
      await former.capture([aChange({ did })]);
      await former.wake(did);
      const { store } = aStore(cache);
      expect(await store.readyLanes(100)).toContain(did);
      await store.removeForDid(did);
      expect(await aStore(cache).store.readyLanes(100)).not.toContain(did);
    } finally {
      await cache.disconnect();
    }
  });
});

/** An adapter that can do no more than it has to. */
function aMap() {
  const values = new Map<string, unknown>();
  return {
    opts: {},
    on: () => undefined,
    get: async (key: string) => values.get(key),
    set: async (key: string, value: unknown) => void values.set(key, value),
    delete: async (key: string) => values.delete(key),
    clear: async () => values.clear(),
  };
}
