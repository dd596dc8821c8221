import { randomUUID } from 'node:crypto';
import { KeyedQueue } from '../../runtime/keyed-queue.js';
import { canExpire, type CachedLane, IDLE_LANE, isIdle } from './cached-lane.js';
import { LaneIndex } from './lane-index.js';
import type { LaneStep } from './lane-steps.js';
import { LaneValues } from './lane-values.js';
import { type PendingCache, UnreadableValueError } from './pending-cache.js';

const HOUR = 60 * 60 * 1_000;
/** What expires stays this long for `cleanup`, which tells of it; then the cache drops it in silence. */
const GRACE = HOUR;
/** The same in a cache that outlives the process: nobody calls `cleanup` while the application is down. */
const LASTING_GRACE = 30 * 24 * HOUR;
/** Lanes that are read at a time when an application starts. */
const READ_AT_ONCE = 50;
/**
 * How long the cache keeps a lane without entries. To forget that it is parked or backs off costs one try.
 */
const EMPTY_LANE_LIFE = 24 * HOUR;

export interface CachedLanesConfig {
  readonly cache: PendingCache;
  /** Milliseconds until an entry expires; null: never. */
  readonly ttl: number | null;
  readonly now: () => number;
  readonly warn: (message: string) => void;
}

/** Reads and changes the cached lanes: one change of a DID at a time, each seen by the index. */
export class CachedLanes {
  readonly index = new LaneIndex();
  private readonly values: LaneValues;
  private readonly lock = new KeyedQueue();
  private readonly grace: number;
  /** Tells what this store has written from what others have. */
  private readonly id = randomUUID();
  private listing: Promise<void> | undefined;
  private hasWarned = false;

  constructor(private readonly config: CachedLanesConfig) {
    this.values = new LaneValues(config.cache);
    this.grace = config.cache.isVolatile ? GRACE : LASTING_GRACE;
  }

  async read(did: string): Promise<CachedLane> {
    return (await this.values.get(did))?.lane ?? IDLE_LANE;
  }

  /** Changes the lane of a DID, alone. Nothing is written if `step` gives the lane back that it got. */
  update<T>(did: string, step: (lane: CachedLane) => LaneStep<T>): Promise<T> {
    return this.lock.run(did, async () => {
      const before = await this.current(did);
      const [after, result] = step(before);
      if (after !== before && !(isIdle(before) && isIdle(after))) await this.write(did, after);
      return result;
    });
  }

  /** Deletes what is kept of a DID, whatever it is, if it cannot be read. @returns whether it could not */
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

  /** Finds, once, what an earlier process left in the cache. */
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
   * Forgets a value that has ended: a Keyv in memory frees it only when it is read, and nobody reads an
   * abandoned one.
   */
  async forgetEnded(did: string): Promise<void> {
    await this.lock.run(did, async () => {
      // It may have been written while this waited.
      if (this.index.hasEnded(did, this.config.now())) await this.delete(did);
    });
  }

  /** What can be seen only here, where nobody else of this process writes the value. */
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
      // In memory a lane without entries has a key, too, for as long as it lasts.
      else if (!this.config.cache.isVolatile) await this.lost(did);
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
