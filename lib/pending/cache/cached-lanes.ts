import { randomUUID } from 'node:crypto';
import { KeyedQueue } from '../../runtime/keyed-queue.js';
import { canExpire, type CachedLane, IDLE_LANE, isIdle } from './cached-lane.js';
import { LaneIndex } from './lane-index.js';
import type { LaneStep } from './lane-steps.js';
import { LaneValues } from './lane-values.js';
import { type PendingCache, UnreadableValueError } from './pending-cache.js';

const HOUR = 60 * 60 * 1_000;
/**
 * How long an expired value stays for `cleanup`, which reports it. After that the cache drops it silently.
 */
const GRACE = HOUR;
/**
 * The same in a cache that outlives the process: while the application is down, it does not call `cleanup`.
 */
const LASTING_GRACE = 30 * 24 * HOUR;
/** How many lanes are read at a time when an application starts. */
const READ_AT_ONCE = 50;
/**
 * How long the cache keeps a lane without entries. Forgetting that it is parked or backs off costs one
 * attempt.
 */
const EMPTY_LANE_LIFE = 24 * HOUR;

export interface CachedLanesConfig {
  readonly cache: PendingCache;
  /** Milliseconds until an entry expires; null for never. */
  readonly ttl: number | null;
  readonly now: () => number;
  readonly warn: (message: string) => void;
}

/** Reads and changes the cached lanes. A DID has one change at a time, and the index sees each of them. */
export class CachedLanes {
  readonly index = new LaneIndex();
  private readonly values: LaneValues;
  private readonly lock = new KeyedQueue();
  private readonly grace: number;
  /** Distinguishes values that this store has written from those of other stores. */
  private readonly id = randomUUID();
  private version = 0;
  private listing: Promise<void> | undefined;
  private hasWarned = false;

  constructor(private readonly config: CachedLanesConfig) {
    this.values = new LaneValues(config.cache);
    this.grace = config.cache.outlivesProcess ? LASTING_GRACE : GRACE;
  }

  async read(did: string): Promise<CachedLane> {
    return (await this.values.get(did))?.lane ?? IDLE_LANE;
  }

  /**
   * Changes the lane of a DID, one change at a time. Nothing is written if `step` returns the lane that it
   * was given.
   */
  update<T>(did: string, step: (lane: CachedLane) => LaneStep<T>): Promise<T> {
    return this.lock.run(did, async () => {
      const before = await this.current(did);
      const [after, result] = step(before);
      if (after !== before && !(isIdle(before) && isIdle(after))) await this.write(did, after);
      return result;
    });
  }

  /**
   * A version for an entry of the lane. It is above the clock, so that an address whose value was forgotten,
   * together with its versions, never gets one of those again.
   */
  nextVersion(lane: CachedLane): number {
    this.version = Math.max(this.version, lane.version, this.config.now()) + 1;
    return this.version;
  }

  /**
   * Deletes the value of a DID if it cannot be read.
   *
   * @returns whether it could not be read
   */
  deleteUnreadable(did: string): Promise<boolean> {
    return this.lock.run(did, async () => {
      try {
        await this.values.get(did);
        return false;
      } catch (error) {
        if (!(error instanceof UnreadableValueError)) throw error;
        await this.delete(did);
        return true;
      }
    });
  }

  /** Finds the lanes that an earlier process left in the cache. Reads them once. */
  async listed(): Promise<void> {
    this.listing ??= this.list();
    try {
      await this.listing;
    } catch (error) {
      this.listing = undefined;
      throw error;
    }
  }

  /**
   * Deletes a value that has ended. A Keyv in memory frees a value only when it is read, and an abandoned
   * value is never read.
   */
  async forgetEnded(did: string): Promise<void> {
    await this.lock.run(did, async () => {
      // The lane may have been written while this waited.
      if (this.index.hasEnded(did, this.config.now())) await this.delete(did);
    });
  }

  /**
   * Checks for losses and for other writers. Only sound here, where no other code of this process can write
   * the value meanwhile.
   */
  private async current(did: string): Promise<CachedLane> {
    const written = await this.values.get(did);
    const known = this.index.of(did);
    if (!known || known.by === written?.by) return written?.lane ?? IDLE_LANE;
    if (written) this.warnOfOthers();
    else if (known.pending > 0 && !this.index.hasEnded(did, this.config.now())) await this.lost(did);
    return written?.lane ?? IDLE_LANE;
  }

  private async list(): Promise<void> {
    const dids = [...(await this.values.dids())];
    while (dids.length > 0)
      await Promise.all(dids.splice(0, READ_AT_ONCE).map((did) => this.lock.run(did, () => this.find(did))));
  }

  private async find(did: string): Promise<void> {
    if (this.index.of(did)) return;
    try {
      const written = await this.values.get(did);
      if (written) this.index.put(did, written, this.endOf(written.lane), this.config.now());
      // Only where the directory lists accounts with entries. In Maps, a lane without entries has a key
      // too, as long as it lasts.
      else if (!this.config.cache.isInMaps) await this.lost(did);
    } catch (error) {
      if (!(error instanceof UnreadableValueError)) throw error;
      // One value that cannot be read must not hide the others.
      this.config.warn(error.message);
    }
  }

  private async lost(did: string): Promise<void> {
    this.index.delete(did);
    await this.values.wasLost(did);
    this.config.warn(
      `The cache does not hold any more what was pending for ${did}: it was evicted, flushed or deleted by another process. ` +
        'ParityService.reconcile() finds the records that are missing or out of date.',
    );
  }

  private warnOfOthers(): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.config.warn(
      'Another process writes pending syncs into the same cache, and each may overwrite what the other keeps: give each ' +
        "application a Keyv namespace of its own, and several processes of one application pendingSyncs.storage 'database'.",
    );
  }

  private async write(did: string, lane: CachedLane): Promise<void> {
    if (isIdle(lane)) return this.delete(did);
    const endsAt = this.endOf(lane);
    const written = { lane, by: this.id };
    const now = this.config.now();
    await this.values.set(did, written, endsAt === null ? null : Math.max(1, endsAt - now));
    this.index.put(did, written, endsAt, now);
  }

  private async delete(did: string): Promise<void> {
    await this.values.delete(did);
    this.index.delete(did);
  }

  private endOf({ entries }: CachedLane): number | null {
    const { ttl, now } = this.config;
    const kept = Object.values(entries);
    if (kept.length === 0) return now() + EMPTY_LANE_LIFE;
    if (ttl === null || !kept.every(canExpire)) return null;
    return (kept.at(-1)?.createdAt ?? 0) + ttl + this.grace;
  }
}
