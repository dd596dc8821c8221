import { createKeyv, Keyv } from '@keyv/redis';
import { createCache } from 'cache-manager';
import { KeyvFile } from 'keyv-file';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PendingSyncCache } from 'nestjs-parity';
import { CachePendingSyncStore } from '../../lib/pending/cache/cache-pending-sync.store.js';
import type { OpenSubject } from './contract/contract-case.js';
import { pendingSyncStoreContract } from './contract/pending-sync-store.contract.js';
import { describeIf, serverUrl } from '../support/servers.js';
import { brokenPendingSyncStores } from './contract/broken-pending-sync-stores.js';

const contract = pendingSyncStoreContract();

/** Time passes for the store only; the cache's own clock goes on normally. */
const openOn =
  (makeCache: () => PendingSyncCache): OpenSubject =>
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

function holdsFor(makeCache: () => PendingSyncCache): void {
  it.each(contract)('$name', ({ run }) => expect(run(openOn(makeCache))).resolves.toBeUndefined());
}

describe('a cache in memory', () => {
  holdsFor(() => createCache());
});

describe('a Keyv in memory', () => {
  holdsFor(() => new Keyv());
});

describe('a store whose clock cannot be moved', () => {
  const open: OpenSubject = async ({ ttl }) => ({ store: new CachePendingSyncStore({ ttl }) });

  it.each(pendingSyncStoreContract({ span: 100 }))('$name', ({ run }) =>
    expect(run(open)).resolves.toBeUndefined(),
  );
});

describe('a Keyv on a file', () => {
  let folder: string;
  let files = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parity-test-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  holdsFor(() => {
    const store = new KeyvFile({ filename: join(folder, `${++files}.json`), writeDelay: 0 });
    return new Keyv({ store });
  });
});

describeIf('redis')('Redis', () => {
  const namespace = () => `parity-test-${randomBytes(6).toString('hex')}`;
  const keyv = () => createKeyv(serverUrl('redis').href, { namespace: namespace() });

  describe('as a Keyv', () => {
    holdsFor(keyv);
  });

  describe('in a cache of cache-manager', () => {
    holdsFor(() => createCache({ stores: [keyv()] }));
  });

  describe('behind memory, in a cache of cache-manager', () => {
    holdsFor(() => createCache({ stores: [new Keyv(), keyv()] }));
  });
});

describe('a store that', () => {
  const all = pendingSyncStoreContract({ durable: true });

  it.each(brokenPendingSyncStores)('$breaks: fails "$fails"', async ({ open, fails }) => {
    const named = all.find(({ name }) => name === fails);
    expect(named).toBeDefined();
    await expect(named?.run(open)).rejects.toMatchObject({ code: 'ERR_ASSERTION' });
  });
});
