import type { Cache } from 'cache-manager';
import type { CachedLane } from './cached-lane.js';

const PREFIX = 'parity:pending:';
/** Overrides a default ttl of the cache: what must not end by itself must not end by somebody else's default. */
const NO_TTL = 0;

/**
 * Cached lanes by DID, in the cache's Keyv stores themselves: `cache.get` takes every error for "nothing pending", `cache.set` a
 * failed write for a success. A Keyv hides errors of reads too, unless it is made with `throwOnErrors: true`: do so for a cache on
 * a network, or a read that fails looks like an empty lane, and the next write makes it one.
 */
export class LaneValues {
  constructor(private readonly cache: Cache) {}

  async get(did: string): Promise<CachedLane | null> {
    for (const keyv of this.cache.stores) {
      const value = await keyv.get<CachedLane>(PREFIX + did);
      if (value !== undefined && value !== null) return value;
    }
    return null;
  }

  /** @param milliseconds how long the cache keeps it; null: until it is deleted */
  async set(did: string, lane: CachedLane, milliseconds: number | null): Promise<void> {
    const stored = await Promise.all(
      this.cache.stores.map((keyv) => keyv.set(PREFIX + did, lane, milliseconds ?? NO_TTL)),
    );
    if (stored.includes(false)) {
      throw new Error(`The cache did not store the pending syncs of ${did}.`);
    }
  }

  async delete(did: string): Promise<void> {
    await Promise.all(this.cache.stores.map((keyv) => keyv.delete(PREFIX + did)));
  }

  /** The DIDs that have a value, where the adapter can list its keys; it is asked, because a Keyv stops at the first value it cannot read. */
  async dids(): Promise<Set<string>> {
    const dids = new Set<string>();
    for (const keyv of this.cache.stores) {
      const { store } = keyv as { store: Listable };
      // Adapters differ in which of the prefixes they leave on.
      for await (const [key] of store.iterator?.(store.namespace) ?? store.entries?.() ?? []) {
        const at = key.indexOf(PREFIX);
        if (at >= 0) dids.add(key.slice(at + PREFIX.length));
      }
    }
    return dids;
  }
}

/** What a Keyv adapter, or a Map, has for it. */
interface Listable {
  readonly namespace?: string | undefined;
  iterator?(namespace?: string): AsyncIterable<[string, unknown]>;
  entries?(): Iterable<[string, unknown]>;
}
