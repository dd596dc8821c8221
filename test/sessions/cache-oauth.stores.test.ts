import { JoseKey, type NodeSavedSession, type NodeSavedState } from '@atproto/oauth-client-node';
import { jest } from '@jest/globals';
import { createCache } from 'cache-manager';
import { CacheOAuthSessionStore, CacheOAuthStateStore } from '../../lib/sessions/oauth/cache-oauth.stores.js';

const HOUR = 3_600_000;
const dpopJwk = (await JoseKey.generate(['ES256'])).privateJwk!;

function aState(overrides: Partial<NodeSavedState> = {}): NodeSavedState {
  return {
    iss: 'https://pds.test',
    dpopJwk,
    authMethod: { method: 'none' },
    verifier: 'v',
    ...overrides,
  } as NodeSavedState;
}

function aSession(did = 'did:plc:alice'): NodeSavedSession {
  return {
    dpopJwk,
    authMethod: { method: 'none' },
    tokenSet: {
      iss: 'https://pds.test',
      sub: did,
      aud: 'https://pds.test',
      scope: 'atproto',
      access_token: 'a',
      token_type: 'DPoP',
    },
  } as NodeSavedSession;
}

/** The Map that is below a cache in memory. */
function entriesOf(cache: ReturnType<typeof createCache>): Map<string, unknown> {
  return cache.stores[0]!.store as Map<string, unknown>;
}

beforeEach(
  () =>
    void jest.useFakeTimers({
      now: 1_700_000_000_000,
      doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'],
    }),
);
afterEach(() => void jest.useRealTimers());

it('gives back what it stored, and undefined for what it has not', async () => {
  const states = new CacheOAuthStateStore();
  const sessions = new CacheOAuthSessionStore();
  await states.set('s', aState());
  await sessions.set('did:plc:alice', aSession());

  expect(await states.get('s')).toEqual(aState());
  expect(await sessions.get('did:plc:alice')).toEqual(aSession());
  expect(await states.get('other')).toBeUndefined();
  expect(await sessions.get('did:plc:bob')).toBeUndefined();
  await states.del('s');
  await sessions.del('did:plc:alice');
  expect(await states.get('s')).toBeUndefined();
  expect(await sessions.get('did:plc:alice')).toBeUndefined();
});

it('forgets a sign-in after an hour', async () => {
  const states = new CacheOAuthStateStore();
  await states.set('s', aState());

  jest.setSystemTime(Date.now() + HOUR - 1_000);
  expect(await states.get('s')).toBeDefined();
  jest.setSystemTime(Date.now() + 2_000);
  expect(await states.get('s')).toBeUndefined();
});

it('never forgets a session, whatever the default ttl of the cache', async () => {
  const sessions = new CacheOAuthSessionStore(createCache({ ttl: 1_000 }));
  await sessions.set('did:plc:alice', aSession());

  jest.setSystemTime(Date.now() + 365 * 24 * HOUR);

  expect(await sessions.get('did:plc:alice')).toEqual(aSession());
});

it('keeps its entries under its own prefixes, in a cache that others use too', async () => {
  const cache = createCache();
  await new CacheOAuthStateStore(cache).set('same', aState());
  await new CacheOAuthSessionStore(cache).set('same', aSession());

  expect([...entriesOf(cache).keys()].toSorted()).toEqual([
    'keyv:parity:oauth:session:same',
    'keyv:parity:oauth:state:same',
  ]);
  expect(await cache.get('parity:oauth:session:same')).toEqual(aSession());
});

it('frees abandoned sign-ins in memory when others begin', async () => {
  const cache = createCache();
  const states = new CacheOAuthStateStore(cache);
  for (let i = 0; i < 50; i++) await states.set(`abandoned-${i}`, aState());

  jest.setSystemTime(Date.now() + 2 * HOUR);
  await states.set('new', aState());

  expect([...entriesOf(cache).keys()]).toEqual(['keyv:parity:oauth:state:new']);
});

it('tells that memory does not outlive the process', () => {
  expect(new CacheOAuthSessionStore().volatile).toBe(true);
  expect(new CacheOAuthStateStore().volatile).toBe(true);
});

describe('on a cache that fails', () => {
  function failing(throwOnErrors: boolean) {
    const cache = createCache();
    const [keyv] = cache.stores;
    const down = () => Promise.reject(new Error('connection lost'));
    keyv!.store = { get: down, set: down, delete: down, clear: down, on: () => undefined };
    keyv!.throwOnErrors = throwOnErrors;
    keyv!.on('error', () => undefined);
    return cache;
  }

  it.each([true, false])(
    'does not take an entry for absent that it could not read (throwOnErrors: %s)',
    async (throwOnErrors) => {
      const sessions = new CacheOAuthSessionStore(failing(throwOnErrors));
      await expect(sessions.get('did:plc:alice')).rejects.toThrow('connection lost');
      const states = new CacheOAuthStateStore(failing(throwOnErrors));
      await expect(states.get('s')).rejects.toThrow('connection lost');
      await expect(states.take('s')).rejects.toThrow('connection lost');
    },
  );

  it.each([true, false])(
    'does not take a session for stored that the cache did not take (throwOnErrors: %s)',
    async (throwOnErrors) => {
      const sessions = new CacheOAuthSessionStore(failing(throwOnErrors));
      await expect(sessions.set('did:plc:alice', aSession())).rejects.toThrow('connection lost');
      const cache = failing(throwOnErrors);
      cache.stores[0]!.store.set = async () => false;
      await expect(new CacheOAuthSessionStore(cache).set('did:plc:alice', aSession())).rejects.toThrow(
        'did not store',
      );
    },
  );

  it('is not told as a store in memory', () => {
    expect(new CacheOAuthSessionStore(failing(true)).volatile).toBe(false);
  });
});
