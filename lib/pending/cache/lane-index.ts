import { canExpire, type CachedLane, isDue } from './cached-lane.js';
import type { WrittenLane } from './lane-values.js';

/** What is known of a cached lane without reading it. */
export interface LaneSummary {
  /** The store that has written it last. */
  readonly by: string;
  /**
   * Since when it has waited for its turn. A future time means that it backs off until then. Null if nothing
   * but backfill is due in it, or if it is parked or asleep.
   */
  readonly waitingSince: number | null;
  /**
   * Since when its backfill has waited for its turn; may be a future time. Null if it has no backfill due, or
   * if live entries wait as well.
   */
  readonly backfillSince: number | null;
  /** It sleeps although an entry in it is due and was never attempted. */
  readonly missed: boolean;
  readonly pending: number;
  readonly parked: boolean;
  /** createdAt of the oldest entry. */
  readonly since: number | null;
  /** createdAt of the oldest entry that can expire. */
  readonly oldest: number | null;
  /** When the cache drops the value. */
  readonly endsAt: number | null;
}

/**
 * The DIDs that have a value in the cache. The index is kept in the process and made from what is written. So
 * it grows only with what is pending, cannot differ from the values, and finds ready lanes without reading
 * any.
 */
export class LaneIndex {
  private readonly summaries = new Map<string, LaneSummary>();

  /** @param now an entry that rests longer than this counts as due only after the next write of the lane */
  put(did: string, { lane, by }: WrittenLane, endsAt: number | null, now: number): void {
    this.summaries.set(did, { by, ...summarise(lane, endsAt, now) });
  }

  delete(did: string): void {
    this.summaries.delete(did);
  }

  of(did: string): LaneSummary | undefined {
    return this.summaries.get(did);
  }

  /** Over all lanes. */
  totals(): { pending: number; parked: number; since: number | null } {
    const all = [...this.summaries.values()];
    const times = all.map(({ since }) => since).filter((since) => since !== null);
    return {
      pending: all.reduce((sum, { pending }) => sum + pending, 0),
      parked: all.filter(({ parked }) => parked).length,
      since: times.reduce<number | null>((oldest, time) => Math.min(oldest ?? time, time), null),
    };
  }

  /** DIDs whose turn has come, the longest waiting first. */
  waiting(now: number): string[] {
    return this.inTurn(now, ({ waitingSince }) => waitingSince);
  }

  /** DIDs of which nothing but backfill is due, and whose turn has come. */
  waitingWithBackfill(now: number): string[] {
    return this.inTurn(now, ({ backfillSince }) => backfillSince);
  }

  /** DIDs whose lane sleeps although it has a new entry. */
  missed(): string[] {
    return this.dids(({ missed }) => missed);
  }

  /** DIDs that have entries from this time or before which can expire. */
  olderThan(time: number): string[] {
    return this.dids(({ oldest }) => oldest !== null && oldest <= time);
  }

  ended(now: number): string[] {
    return this.dids((summary) => isOver(summary, now));
  }

  hasEnded(did: string, now: number): boolean {
    const summary = this.summaries.get(did);
    return summary !== undefined && isOver(summary, now);
  }

  /** A DID, another one on each call. */
  next(): string | undefined {
    const [first] = this.summaries;
    if (!first) return undefined;
    this.summaries.delete(first[0]);
    this.summaries.set(...first);
    return first[0];
  }

  private inTurn(now: number, since: (summary: LaneSummary) => number | null): string[] {
    const found: [did: string, since: number][] = [];
    for (const [did, summary] of this.summaries) {
      const time = since(summary);
      if (time !== null && time <= now) found.push([did, time]);
    }
    return found.toSorted(([, a], [, b]) => a - b).map(([did]) => did);
  }

  private dids(matches: (summary: LaneSummary) => boolean): string[] {
    return [...this.summaries].filter(([, summary]) => matches(summary)).map(([did]) => did);
  }
}

const isOver = ({ endsAt }: LaneSummary, now: number): boolean => endsAt !== null && endsAt <= now;

function summarise(lane: CachedLane, endsAt: number | null, now: number): Omit<LaneSummary, 'by'> {
  const entries = Object.values(lane.entries);
  const oldest = entries.find(canExpire)?.createdAt ?? null;
  const due = lane.park ? [] : entries.filter((entry) => isDue(entry, lane, now));
  const readyAt = lane.retryAt ?? lane.wokenAt;
  const hasLive = due.some(({ backfill }) => !backfill);
  const waitingSince = hasLive ? readyAt : null;
  return {
    waitingSince,
    backfillSince:
      waitingSince === null && due.some(({ backfill }) => backfill) ? backfillSince(lane, readyAt) : null,
    missed:
      readyAt === null &&
      due.some(({ tried, backfill }) => !tried && (!backfill || lane.backfillAt === null)),
    pending: entries.length,
    parked: lane.park !== null,
    since: entries[0]?.createdAt ?? null,
    oldest,
    endsAt,
  };
}

/** While the whole lane waits, its backfill waits too. */
const backfillSince = ({ backfillAt }: CachedLane, readyAt: number | null): number | null =>
  readyAt === null ? backfillAt : Math.max(readyAt, backfillAt ?? 0);
