import { expired, unclaimed, UNCLAIMED_LIFE } from '../discard-reasons.js';
import type { Discarded } from '../pending-entry.js';
import type { CachedEntries } from './cached-entries.js';
import { type CachedEntry, type CachedLane, isDue, toPendingSync } from './cached-lane.js';
import type { CachedLanes } from './cached-lanes.js';
import * as steps from './lane-steps.js';

/** How many entries one `cleanup` gives up at most. */
const LIMIT = 500;

export interface CachedExpiryConfig {
  readonly lanes: CachedLanes;
  readonly entries: CachedEntries;
  /** Milliseconds until an entry is given up; null: never. */
  readonly ttl: number | null;
  readonly now: () => number;
  readonly nameOf: (storedName: string) => string;
}

/** Gives up what is too old. */
export class CachedExpiry {
  constructor(private readonly config: CachedExpiryConfig) {}

  async cleanup(): Promise<Discarded[]> {
    const { lanes, entries, ttl, now } = this.config;
    await lanes.listed();
    const discarded: Discarded[] = [];
    const life = Math.min(ttl ?? Infinity, entries.leavesAny ? UNCLAIMED_LIFE : Infinity);
    for (const did of lanes.index.olderThan(now() - life)) {
      const limit = LIMIT - discarded.length;
      if (limit === 0) break;
      const step = (lane: CachedLane) =>
        steps.expire(lane, limit, (entry) => this.discarded(did, entry, lane));
      discarded.push(...(await lanes.update(did, step)));
    }
    for (const did of lanes.index.ended(now()).slice(0, LIMIT)) await lanes.forgetEnded(did);
    return discarded;
  }

  private discarded(did: string, entry: CachedEntry, lane: CachedLane): Discarded[] {
    const reason = this.whyNot(entry, lane);
    return reason === null ? [] : [{ sync: toPendingSync(did, entry, this.config.nameOf), reason }];
  }

  /** Why an entry is to be given up; null: it is not. */
  private whyNot(entry: CachedEntry, lane: CachedLane): string | null {
    const { ttl, entries } = this.config;
    const now = this.config.now();
    const age = now - entry.createdAt;
    if (ttl !== null && age >= ttl) return expired(ttl / 1_000);
    const isReady = lane.park === null && (lane.retryAt ?? 0) <= now;
    const isUnclaimed = isReady && entries.isLeft(entry) && !entry.tried && isDue(entry, lane, now);
    return isUnclaimed && age >= UNCLAIMED_LIFE ? unclaimed(entry.entityName) : null;
  }
}
