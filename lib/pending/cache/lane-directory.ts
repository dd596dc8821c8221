import { KeyedQueue } from '../../runtime/keyed-queue.js';
import { type PendingCache, UnreadableValueError } from './pending-cache.js';

const PREFIX = 'parity:pending-accounts:';
/** Values that the directory is split into, so that one more account rewrites a small part of it. */
const PARTS = 64;

/**
 * Which accounts have pending syncs in a cache that outlives the process: not every store lists its keys, and
 * one that others use, too, would have to read all of theirs. An account is listed before its first pending
 * sync is written, and taken off after its last one has gone: a process that dies between the two leaves a
 * name too many, never one too few.
 */
export class LaneDirectory {
  private readonly lock = new KeyedQueue();
  /** Those that are known to be listed. */
  private readonly known = new Set<string>();

  constructor(private readonly cache: PendingCache) {}

  async add(did: string): Promise<void> {
    if (this.known.has(did)) return;
    await this.change(did, (dids) => (dids.includes(did) ? dids : [...dids, did]));
    this.known.add(did);
  }

  /** A name too many does no harm, so that a failure is none of the caller's. */
  async remove(did: string): Promise<void> {
    this.known.delete(did);
    await this.change(did, (dids) => dids.filter((one) => one !== did)).catch(() => undefined);
  }

  /** The cache has lost values: what was listed may not be listed any more. */
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

  /** Nothing can be saved of a value that is no list of names. */
  private async read(key: string): Promise<readonly string[]> {
    const value = await this.cache.get(key).catch((error: unknown) => {
      if (error instanceof UnreadableValueError) return [];
      throw error;
    });
    return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
  }
}

const partOf = (did: string): number =>
  [...did].reduce((hash, character) => (hash * 31 + character.charCodeAt(0)) % PARTS, 7);
