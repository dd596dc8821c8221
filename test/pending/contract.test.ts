import { createKeyv } from '@keyv/redis';
import { type Cache, createCache } from 'cache-manager';
import { randomBytes } from 'node:crypto';
import { CachePendingSyncStore } from '../../lib/pending/cache/cache-pending-sync.store.js';
import {
  brokenPendingSyncStores,
  type OpenSubject,
  pendingSyncStoreContract,
} from '../../lib/testing/contracts/index.js';
import { describeIf, serverUrl } from '../support/servers.js';

const contract = pendingSyncStoreContract();

/** Time passes for the store only; the cache's own clock goes on as it does. */
const openOn =
  (makeCache: () => Cache): OpenSubject =>
  async ({ ttl }) => {
    let passed = 0;
    const cache = makeCache();
    return {
      store: new CachePendingSyncStore({ cache, ttl, now: () => Date.now() + passed }),
      pass: async (milliseconds) => void (passed += milliseconds),
      close: async () => {
        await cache.clear();
        await cache.disconnect();
      },
    };
  };

describe('a cache in memory', () => {
  it.each(contract)('$name', ({ run }) => expect(run(openOn(createCache))).resolves.toBeUndefined());
});

describe('a store whose clock nobody can move', () => {
  const open: OpenSubject = async ({ ttl }) => ({ store: new CachePendingSyncStore({ ttl }) });

  it.each(pendingSyncStoreContract({ span: 100 }))('$name', ({ run }) =>
    expect(run(open)).resolves.toBeUndefined(),
  );
});

describeIf('redis')('a cache in Redis', () => {
  const namespace = () => `parity-test-${randomBytes(6).toString('hex')}`;
  const redis = () =>
    createCache({
      stores: [createKeyv(serverUrl('redis').href, { namespace: namespace(), throwOnErrors: true })],
    });

  it.each(contract)('$name', ({ run }) => expect(run(openOn(redis))).resolves.toBeUndefined());
});

describe('a store that', () => {
  const all = pendingSyncStoreContract({ durable: true });

  it.each(brokenPendingSyncStores)('$breaks: fails "$fails"', async ({ open, fails }) => {
    const named = all.find(({ name }) => name === fails);
    expect(named).toBeDefined();
    await expect(named?.run(open)).rejects.toMatchObject({ code: 'ERR_ASSERTION' });
  });
});
