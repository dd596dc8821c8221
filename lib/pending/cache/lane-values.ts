import { isRecord } from './is-record.js';
import type { CachedLane } from './cached-lane.js';
import { LaneDirectory } from './lane-directory.js';
import { type PendingCache, unreadable } from './pending-cache.js';

const PREFIX = 'parity:pending:';
/**
 * Format of the value below. A release that changes what is kept raises it, so that no release takes the
 * other's values for its own.
 */
const FORMAT = 1;

/** A cached lane, and the store that has written it last. */
export interface WrittenLane {
  readonly lane: CachedLane;
  readonly by: string;
}

/** Cached lanes by DID. */
export class LaneValues {
  private readonly directory: LaneDirectory | null;

  constructor(private readonly cache: PendingCache) {
    this.directory = cache.isInMaps ? null : new LaneDirectory(cache);
  }

  /** @throws UnreadableValueError if there is a value that is no lane of this format */
  async get(did: string): Promise<WrittenLane | null> {
    const value = await this.cache.get(PREFIX + did);
    if (value === undefined) return null;
    if (!isWrittenLane(value)) throw unreadable(PREFIX + did);
    return value;
  }

  /** @param milliseconds how long the cache keeps it; null until it is deleted */
  async set(did: string, { lane, by }: WrittenLane, milliseconds: number | null): Promise<void> {
    const isEmpty = Object.keys(lane.entries).length === 0;
    if (!isEmpty) await this.directory?.add(did);
    await this.cache.set(PREFIX + did, { format: FORMAT, by, lane }, milliseconds);
    if (isEmpty) await this.directory?.remove(did);
  }

  async delete(did: string): Promise<void> {
    await this.cache.delete(PREFIX + did);
    await this.directory?.remove(did);
  }

  /** To be called when a written value is missing: the directory may have been lost with it. */
  wasLost(did: string): Promise<void> {
    this.directory?.forget();
    return this.delete(did);
  }

  /** The accounts that have pending syncs; in Maps, all that have a value. */
  async dids(): Promise<Iterable<string>> {
    if (this.directory) return this.directory.all();
    return this.cache.keysInMaps().flatMap((key) => {
      const at = key.indexOf(PREFIX);
      return at < 0 ? [] : [key.slice(at + PREFIX.length)];
    });
  }
}

function isWrittenLane(value: unknown): value is WrittenLane {
  if (!isRecord(value) || value['format'] !== FORMAT || typeof value['by'] !== 'string') return false;
  const { lane } = value;
  if (!isRecord(lane) || typeof lane['version'] !== 'number' || typeof lane['backlog'] !== 'number')
    return false;
  return isRecord(lane['entries']) && Object.values(lane['entries']).every(isEntry);
}

/** Checks the fields of an entry that are read before anything else is known of it. */
const isEntry = (entry: unknown): boolean =>
  isRecord(entry) &&
  ['collection', 'rkey', 'entityName', 'entityId', 'operation'].every(
    (name) => typeof entry[name] === 'string',
  ) &&
  typeof entry['version'] === 'number' &&
  typeof entry['createdAt'] === 'number';
