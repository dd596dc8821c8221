import type { Cache } from 'cache-manager';
import { KeyedLock } from '../../pds/keyed-lock.js';
import { canExpire, type CachedLane, IDLE_LANE, isIdle } from './cached-lane.js';
import { LaneIndex } from './lane-index.js';
import type { LaneStep } from './lane-steps.js';
import { LaneValues } from './lane-values.js';

const HOUR = 60 * 60 * 1_000;
/** What expires stays this long for `cleanup`, which tells of it; then the cache drops it in silence. */
const GRACE = HOUR;
/**
 * How long the cache keeps a lane without entries. To forget that it is parked or backs off costs one try.
 */
const EMPTY_LANE_LIFE = 24 * HOUR;

/** Reads and changes the cached lanes: one change of a DID at a time, each seen by the index. */
export class CachedLanes {
  readonly index = new LaneIndex();
  private readonly values: LaneValues;
  private readonly lock = new KeyedLock();
  private listing: Promise<void> | undefined;

  /** @param ttl milliseconds until an entry expires; null: never */
  constructor(
    cache: Cache,
    private readonly ttl: number | null,
    private readonly now: () => number,
  ) {
    this.values = new LaneValues(cache);
  }

  async read(did: string): Promise<CachedLane> {
    return (await this.values.get(did)) ?? IDLE_LANE;
  }

  /** Changes the lane of a DID, alone. Nothing is written if `step` gives the lane back that it got. */
  update<T>(did: string, step: (lane: CachedLane) => LaneStep<T>): Promise<T> {
    return this.lock.run(did, async () => {
      const before = await this.read(did);
      const [after, result] = step(before);
      if (after !== before && !(isIdle(before) && isIdle(after))) await this.write(did, after);
      return result;
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
      if (this.index.hasEnded(did, this.now())) await this.delete(did);
    });
  }

  private async list(): Promise<void> {
    for (const did of await this.values.dids()) {
      await this.lock.run(did, async () => {
        const lane = this.index.has(did) ? null : await this.values.get(did);
        if (lane) this.index.put(did, lane, this.endOf(lane), this.now());
      });
    }
  }

  private async write(did: string, lane: CachedLane): Promise<void> {
    if (isIdle(lane)) return this.delete(did);
    const endsAt = this.endOf(lane);
    await this.values.set(did, lane, endsAt === null ? null : Math.max(1, endsAt - this.now()));
    this.index.put(did, lane, endsAt, this.now());
  }

  private async delete(did: string): Promise<void> {
    await this.values.delete(did);
    this.index.delete(did);
  }

  private endOf({ entries }: CachedLane): number | null {
    const kept = Object.values(entries);
    if (kept.length === 0) return this.now() + EMPTY_LANE_LIFE;
    if (this.ttl === null || !kept.every(canExpire)) return null;
    return (kept.at(-1)?.createdAt ?? 0) + this.ttl + GRACE;
  }
}
