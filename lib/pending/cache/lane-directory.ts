import { KeyedQueue } from '../../runtime/keyed-queue.js';
import { type PendingCache, UnreadableValueError } from './pending-cache.js';

const PREFIX = 'parity:pending-accounts:';
/**
 * How many values the directory is split into, so that a further account rewrites only a small part of it.
 */
const PARTS = 64;

/**
 * Lists the accounts that have pending syncs in a cache that is more than Maps. Not every store can list its
 * keys, and in a store that other applications share, all of their keys would have to be read. An account is
 * listed before its first pending sync is written, and removed after its last one is gone. A process that
 * dies in between leaves a name too many, and never one too few.
 */
export class LaneDirectory {
  private readonly lock = new KeyedQueue();
  /** DIDs that are known to be listed. */
  private readonly known = new Set<string>();

  constructor(private readonly cache: PendingCache) {}

  async add(did: string): Promise<void> {
    if (this.known.has(did)) return;
    await this.change(did, (dids) => (dids.includes(did) ? dids : [...dids, did]));
    this.known.add(did);
  }

  /** A name too many does no harm, so a failure here is ignored. */
  async remove(did: string): Promise<void> {
    this.known.delete(did);
    await this.change(did, (dids) => dids.filter((listed) => listed !== did)).catch(() => undefined);
  }

  /** To be called when the cache has lost values: DIDs that were listed may not be listed any more. */
  forget(): void {
    this.known.clear();
  }

  async all(): Promise<string[]> {
    const parts = await Promise.all(Array.from({ length: PARTS }, (_, part) => this.read(PREFIX + part)));
    return parts.flat();
  }

  private change(did: string, step: (dids: readonly string[]) => readonly string[]): Promise<void> {
    const key = PREFIX + partOf(did);
    return this.lock.run(key, async () => {
      const before = await this.read(key);
      const after = step(before);
      if (after === before) return;
      await (after.length === 0 ? this.cache.delete(key) : this.cache.set(key, after, null));
    });
  }

  /** A value that is no list of names cannot be used, and counts as empty. */
  private async read(key: string): Promise<readonly string[]> {
    const value = await this.cache.get(key).catch((error: unknown) => {
      if (error instanceof UnreadableValueError) return [];
      throw error;
    });
    return Array.isArray(value) ? value.filter((name): name is string => typeof name === 'string') : [];
  }
}

const partOf = (did: string): number =>
  [...did].reduce((hash, character) => (hash * 31 + character.charCodeAt(0)) % PARTS, 7);
