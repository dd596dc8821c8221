import type {
  NodeSavedSession,
  NodeSavedSessionStore,
  NodeSavedState,
  NodeSavedStateStore,
} from '@atproto/oauth-client-node';
import { createCache, type Cache } from 'cache-manager';
import { outlivesProcess, throwErrors } from '../../runtime/keyv-stores.js';

const STATE_PREFIX = 'parity:oauth:state:';
const SESSION_PREFIX = 'parity:oauth:session:';
const STATE_TTL = 60 * 60 * 1_000;
/** Overrides a default ttl of the cache: forgetting a session would sign its user out. */
const NO_TTL = 0;

/**
 * Uses the cache's Keyv stores themselves, and makes them throw their errors. `cache.get` turns every error
 * into "not there", which would read as "signed out", and `cache.set` takes a failed write for a success.
 */
class CacheEntries<V> {
  readonly volatile: boolean;

  constructor(
    private readonly cache: Cache,
    private readonly prefix: string,
    private readonly ttl: number,
  ) {
    this.volatile = outlivesProcess(cache.stores) === false;
    cache.stores.forEach(throwErrors);
  }

  async get(key: string): Promise<V | undefined> {
    for (const keyv of this.cache.stores) {
      const value = await keyv.get<V>(this.prefix + key);
      if (value !== undefined && value !== null) return value;
    }
    return undefined;
  }

  async set(key: string, value: V): Promise<void> {
    const stored = await Promise.all(
      this.cache.stores.map((keyv) => keyv.set(this.prefix + key, value, this.ttl)),
    );
    if (stored.includes(false)) throw new Error(`The cache did not store the entry under '${this.prefix}'.`);
  }

  async del(key: string): Promise<void> {
    await this.#delete(key);
  }

  async take(key: string): Promise<V | undefined> {
    const value = await this.get(key);
    if (value === undefined) return undefined;
    const deleted = await this.#delete(key);
    // Processes share the last of several stores, which therefore tells which of them has deleted the entry.
    return deleted.at(-1) ? value : undefined;
  }

  #delete(key: string): Promise<boolean[]> {
    return Promise.all(this.cache.stores.map((keyv) => keyv.delete(this.prefix + key)));
  }
}

/**
 * Sign-ins under way, on cache-manager; each expires an hour after it began. Processes that share them need a
 * cache whose `delete` tells whether there was an entry, as Redis does. The stores of the cache are made to
 * throw their errors (`throwOnErrors`).
 */
export class CacheOAuthStateStore implements NodeSavedStateStore {
  /** Whether its entries end with the process. */
  readonly volatile: boolean;
  readonly #entries: CacheEntries<NodeSavedState>;
  readonly #begun = new Map<string, number>();

  constructor(cache: Cache = createCache()) {
    this.#entries = new CacheEntries(cache, STATE_PREFIX, STATE_TTL);
    this.volatile = this.#entries.volatile;
  }

  get(key: string): Promise<NodeSavedState | undefined> {
    return this.#entries.get(key);
  }

  async set(key: string, state: NodeSavedState): Promise<void> {
    if (this.volatile) await this.#sweep(key);
    await this.#entries.set(key, state);
  }

  del(key: string): Promise<void> {
    this.#begun.delete(key);
    return this.#entries.del(key);
  }

  take(key: string): Promise<NodeSavedState | undefined> {
    this.#begun.delete(key);
    return this.#entries.take(key);
  }

  /** A Keyv in memory frees an expired entry only when it is read, and abandoned sign-ins are never read. */
  async #sweep(added: string): Promise<void> {
    const now = Date.now();
    for (const [key, begun] of this.#begun) {
      if (now - begun <= STATE_TTL) break;
      await this.del(key);
    }
    this.#begun.set(added, now);
  }
}

/**
 * Sessions by DID, on cache-manager; they do not expire by themselves. The stores of the cache are made to
 * throw their errors (`throwOnErrors`).
 */
export class CacheOAuthSessionStore implements NodeSavedSessionStore {
  /** Whether its sessions end with the process. */
  readonly volatile: boolean;
  readonly #entries: CacheEntries<NodeSavedSession>;

  constructor(cache: Cache = createCache()) {
    this.#entries = new CacheEntries(cache, SESSION_PREFIX, NO_TTL);
    this.volatile = this.#entries.volatile;
  }

  get(did: string): Promise<NodeSavedSession | undefined> {
    return this.#entries.get(did);
  }

  set(did: string, session: NodeSavedSession): Promise<void> {
    return this.#entries.set(did, session);
  }

  del(did: string): Promise<void> {
    return this.#entries.del(did);
  }
}
