import KeyvRedis, { createKeyv, Keyv } from '@keyv/redis';
import { type Cache, createCache } from 'cache-manager';
import { randomBytes } from 'node:crypto';
import type { PendingSyncCache } from 'nestjs-parity';
import { CachePendingSyncStore } from '../../lib/pending/cache/cache-pending-sync.store.js';
import type { PendingChange, PendingEntry } from '../../lib/pending/pending-entry.js';
import { describeIf, serverUrl } from '../support/servers.js';
import { leaseOf } from './database-fixtures.js';

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

function aStore(cache: PendingSyncCache, ttl: number | null = 3_600) {
  let passed = 0;
  const store = new CachePendingSyncStore({ cache, ttl, now: () => Date.now() + passed });
  return { store, pass: (milliseconds: number) => void (passed += milliseconds) };
}

it('keeps no value for an account that has nothing pending', async () => {
  const cache = createCache();
  const { store } = aStore(cache);
  await store.capture([aChange(), aChange({ rkey: 'b' })]);
  expect(valuesOf(cache).size).toBe(1);
  const lease = (await leaseOf(store, ALICE, 1_000))!;
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
    const lease = (await leaseOf(store, ALICE, 1_000))!;
    const [{ version }] = (await store.at(ALICE, [URI])) as [PendingEntry];
    await store.failed(lease, [{ uri: URI, version, error: 'no', countsAttempt: true, needsSession: false }]);
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

it('finds the lanes that an earlier process left in the cache', async () => {
  const cache = createCache();
  const former = aStore(cache).store;
  await former.capture([aChange()]);
  await former.wake(ALICE);
  const { store, pass } = aStore(cache);
  expect(await store.readyLanes(10)).toEqual([ALICE]);
  pass(2 * HOUR);
  expect((await store.cleanup()).map(({ sync }) => sync.uri)).toEqual([URI]);
});

it('gives up after seven days entries of classes that no process knows, and none of a parked account', async () => {
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

it('wakes by a sweep the lanes that an earlier process captured for and did not wake, and none with attempted entries only', async () => {
  const cache = createCache();
  const { store: former } = aStore(cache);
  await former.capture([aChange(), aChange({ did: 'did:plc:tried' }), aChange({ did: 'did:plc:parked' })]);
  const [entry] = await former.at('did:plc:tried', ['at://did:plc:tried/com.example.post/a']);
  const lease = (await leaseOf(former, 'did:plc:tried', 1_000))!;
  const { uri } = entry!.sync;
  const { version } = entry!;
  await former.failed(lease, [{ uri, version, error: 'x', countsAttempt: true, needsSession: false }]);
  await former.release(lease, { next: 'asleep', failures: 0 });
  await former.park('did:plc:parked', { reason: 'revoked', sessionId: null, code: 'OAUTH_SESSION_INVALID' });

  const { store } = aStore(cache);
  expect(await store.sweep()).toBe(1);
  expect(await store.readyLanes(10)).toEqual([ALICE]);
  expect(await store.sweep()).toBe(0);
  await store.capture([aChange({ did: 'did:plc:tried' })]);
  const held = (await leaseOf(store, 'did:plc:tried', 1_000))!;
  expect(await store.sweep()).toBe(0);
  await store.release(held, { next: 'asleep', failures: 0 });
  expect(await store.sweep()).toBe(1);
  expect((await store.readyLanes(10)).toSorted()).toEqual([ALICE, 'did:plc:tried']);
});

it('frees values that expired long ago if the application never calls cleanup', async () => {
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

it('throws if the cache did not store a change', async () => {
  const full = { ...aMap(), set: async () => false };
  const { store } = aStore(createCache({ stores: [new Keyv({ store: full })] }));
  await expect(store.capture([aChange()])).rejects.toThrow('did not store');
  expect(await store.readyLanes(10)).toEqual([]);
});

describe('in a cache of this process that is no Map', () => {
  it('finds its lanes, and does not take them for kept over a restart', async () => {
    const keyv = new Keyv({ store: { ...aMap(), opts: { lruSize: 10 } } });
    const former = aStore(keyv).store;
    expect(former.outlivesProcess).toBe(false);
    await former.capture([aChange()]);
    expect(await aStore(keyv).store.sweep()).toBe(1);
    const told = new CachePendingSyncStore({ cache: keyv, outlivesProcess: true, ttl: null });
    expect(told.outlivesProcess).toBe(true);
  });
});

describe('in a cache that outlives the process', () => {
  it('finds what is pending, though the adapter cannot list its keys', async () => {
    const keyv = new Keyv({ store: aMap() });
    const former = aStore(keyv).store;
    const dids = Array.from({ length: 300 }, (_, index) => `did:plc:${index.toString(36)}`);
    await Promise.all(dids.map((did) => former.capture([aChange({ did })])));
    await former.park(ALICE, { reason: 'revoked', sessionId: null, code: 'OAUTH_SESSION_INVALID' });
    await former.removeForDid(dids[0]!);
    const { store } = aStore(keyv);
    expect(await store.sweep()).toBe(299);
    expect((await store.readyLanes(1_000)).toSorted()).toEqual(dids.slice(1).toSorted());
    expect(await store.lane(ALICE)).toMatchObject({ park: { reason: 'revoked' } });
  });

  it.each(['before its value is written', 'before it is taken off the list'])(
    'finds every account after a death %s, and warns of none too many',
    async (when) => {
      const values = aMap();
      const former = aStore(new Keyv({ store: values })).store;
      await former.capture([aChange({ did: 'did:plc:bob' })]);
      if (when.startsWith('before its value'))
        values.set = async (key, value) =>
          key.includes('accounts') ? void values.all.set(key, value) : Promise.reject(new Error('killed'));
      else {
        await former.capture([aChange()]);
        values.set = () => Promise.reject(new Error('killed'));
      }
      await (
        when.startsWith('before its value') ? former.capture([aChange()]) : former.removeForDid(ALICE)
      ).catch(() => undefined);
      const warnings: string[] = [];
      const keyv = new Keyv({ store: aMap(values.all) });
      const store = new CachePendingSyncStore({
        cache: keyv,
        ttl: null,
        warn: (line) => void warnings.push(line),
      });
      expect(await store.sweep()).toBe(1);
      expect(await store.readyLanes(10)).toEqual(['did:plc:bob']);
      expect(await store.hasForDid(ALICE)).toBe(false);
      await store.capture([aChange()]);
      expect(await new CachePendingSyncStore({ cache: keyv, ttl: null }).sweep()).toBe(1);
    },
  );

  it('gives up after a restart the entries that expired while no process ran, and keeps those that never expire', async () => {
    const keyv = new Keyv({ store: aMap() });
    await aStore(keyv).store.capture([aChange(), aChange({ did: 'did:plc:bob', operation: 'unpublish' })]);
    const { store, pass } = aStore(keyv);
    pass(29 * 24 * HOUR);
    expect((await store.cleanup()).map(({ sync }) => sync.uri)).toEqual([URI]);
    expect(await store.hasForDid('did:plc:bob')).toBe(true);
  });

  it('gives no ttl to a value that must not expire', async () => {
    const ttls: unknown[] = [];
    const values = {
      ...aMap(),
      set: async (_key: string, _value: unknown, ttl?: number) => void ttls.push(ttl),
    };
    const keyv = new Keyv({ store: values, ttl: 1 });
    await aStore(keyv).store.capture([aChange({ operation: 'unpublish' })]);
    await aStore(keyv, null).store.capture([aChange()]);
    expect(ttls).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('warns of what the cache has lost, and goes on', async () => {
    const values = aMap();
    const warnings: string[] = [];
    const warn = (line: string): void => void warnings.push(line);
    const keyv = new Keyv({ store: values });
    const store = new CachePendingSyncStore({ cache: keyv, ttl: null, warn });
    await store.capture([aChange()]);
    values.all.clear();
    await store.unpark(ALICE, { retry: true });
    expect(warnings).toEqual([
      expect.stringContaining(`does not hold any more what was pending for ${ALICE}`),
    ]);
    await store.capture([aChange()]);
    expect(await new CachePendingSyncStore({ cache: keyv, ttl: null }).sweep()).toBe(1);
    values.all.delete(`keyv:parity:pending:${ALICE}`);
    const next = new CachePendingSyncStore({ cache: keyv, ttl: null, warn });
    expect(await next.readyLanes(10)).toEqual([]);
    expect(warnings).toHaveLength(2);
  });

  it('warns once of another process that writes into the same cache', async () => {
    const keyv = new Keyv({ store: aMap() });
    const warnings: string[] = [];
    const warn = (line: string): void => void warnings.push(line);
    const former = new CachePendingSyncStore({ cache: keyv, ttl: null, warn });
    await former.capture([aChange()]);
    const latter = new CachePendingSyncStore({ cache: keyv, ttl: null, warn });
    await latter.readyLanes(1);
    await latter.capture([aChange({ rkey: 'b' })]);
    expect(warnings).toEqual([]);
    for (const rkey of ['c', 'd']) {
      await former.capture([aChange({ rkey })]);
      await latter.capture([aChange({ rkey })]);
    }
    expect(warnings.map((line) => line.slice(0, 40))).toEqual(
      Array(2).fill('Another process writes pending syncs int'),
    );
    expect(await latter.countForDid(ALICE)).toBe(4);
  });

  it.each([
    ['no JSON', 'nonsense'],
    ['another format', JSON.stringify({ value: { format: 2, by: 'x', lane: {} } })],
    ['no lane', JSON.stringify({ value: ['x'] })],
    [
      'an entry without a key',
      JSON.stringify({ value: { format: 1, by: 'x', lane: { version: 1, backlog: 0, entries: { a: {} } } } }),
    ],
  ])('leaves a value alone that it cannot read (%s), and hides no other', async (_what, text) => {
    const values = aMap();
    const keyv = new Keyv({ store: values });
    await aStore(keyv).store.capture([aChange(), aChange({ did: 'did:plc:bob' })]);
    const key = `keyv:parity:pending:${ALICE}`;
    values.all.set(key, text);
    const warnings: string[] = [];
    const store = new CachePendingSyncStore({
      cache: keyv,
      ttl: null,
      warn: (line) => void warnings.push(line),
    });
    expect(await store.sweep()).toBe(1);
    expect(warnings).toEqual([expect.stringContaining(`'parity:pending:${ALICE}'`)]);
    await expect(store.capture([aChange()])).rejects.toMatchObject({ code: 'PENDING_CACHE_FAILED' });
    expect(values.all.get(key)).toBe(text);
    expect(await store.removeForDid(ALICE)).toBe(0);
    await store.capture([aChange()]);
    expect(await store.countForDid(ALICE)).toBe(1);
  });

  it('does not take a failed read for an empty lane, although the cache hides errors', async () => {
    const values = aMap();
    const keyv = new Keyv({ store: values, throwOnErrors: false });
    const { store } = aStore(keyv);
    await store.capture([aChange()]);
    const { get } = values;
    values.get = () => Promise.reject(new Error('connection lost'));
    await expect(store.capture([aChange({ rkey: 'b' })])).rejects.toThrow('connection lost');
    await expect(store.hasForDid(ALICE)).rejects.toMatchObject({ code: 'PENDING_CACHE_FAILED' });
    values.get = get;
    await store.capture([aChange({ rkey: 'b' })]);
    expect(await store.countForDid(ALICE)).toBe(2);
  });

  it('waits for an answer up to its limit, and lets no late write overwrite a newer one', async () => {
    const values = aMap();
    const store = new CachePendingSyncStore({ cache: new Keyv({ store: values }), ttl: null, patience: 50 });
    await store.capture([aChange()]);
    let land: () => void = () => undefined;
    const { set } = values;
    values.set = async (key, value) => {
      await new Promise<void>((resolve) => (land = resolve));
      await set(key, value);
    };
    await expect(store.capture([aChange({ rkey: 'late' })])).rejects.toThrow('did not answer within 50 ms');
    // A cache that did not answer is not asked again for a while.
    await expect(store.hasForDid(ALICE)).rejects.toThrow('did not answer within 50 ms');
    values.set = set;
    const elsewhere = new CachePendingSyncStore({ cache: new Keyv({ store: values }), ttl: null });
    expect(await elsewhere.countForDid(ALICE)).toBe(1);
    land();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await elsewhere.countForDid(ALICE)).toBe(2);
  });
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
      const keys = (cache.stores[0]!.store as KeyvRedis<unknown>).iterator(cache.stores[0]!.namespace);
      for await (const [key] of keys) expect(key).not.toContain(did);
    } finally {
      await cache.disconnect();
    }
  });
});

/** An adapter that can do no more than it has to. */
function aMap(all = new Map<string, unknown>()) {
  return {
    all,
    opts: { url: 'elsewhere' },
    on: () => undefined,
    get: async (key: string) => all.get(key),
    set: async (key: string, value: unknown) => void all.set(key, value),
    delete: async (key: string) => all.delete(key),
    clear: async () => all.clear(),
  };
}
