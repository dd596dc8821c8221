import { canExpire, type CachedLane, isDue } from './cached-lane.js';
import type { WrittenLane } from './lane-values.js';

/** What is known of a cached lane without reading it. */
export interface LaneSummary {
  /** Who has written it last. */
  readonly by: string;
  /**
   * Since when it waits for its turn; null: nothing in it is due but backfill, or it is parked, or asleep. A
   * time to come: it is backed off until then.
   */
  readonly waitingSince: number | null;
  /**
   * Since when its backfill waits for its turn; null: there is none, or something live waits with it. May be
   * a time to come.
   */
  readonly backfillSince: number | null;
  /** It sleeps, although something in it is due and was never tried. */
  readonly missed: boolean;
  readonly pending: number;
  readonly parked: boolean;
  /** createdAt of the oldest entry. */
  readonly since: number | null;
  /** createdAt of the oldest entry that can expire. */
  readonly oldest: number | null;
  /** When the cache forgets the value by itself. */
  readonly endsAt: number | null;
}

/**
 * The DIDs that have a value in the cache. It is kept in the process and made anew from what is written, so
 * it is as big as what is pending, cannot differ from the values, and answers what is ready without reading
 * any.
 */
export class LaneIndex {
  private readonly summaries = new Map<string, LaneSummary>();

  /** @param now what rests longer becomes due with the next write of the lane */
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

  /** Those whose turn has come, the one that waits longest first. */
  waiting(now: number): string[] {
    return this.inTurn(now, ({ waitingSince }) => waitingSince);
  }

  /** Those that have nothing but backfill whose turn has come. */
  waitingWithBackfill(now: number): string[] {
    return this.inTurn(now, ({ backfillSince }) => backfillSince);
  }

  /** Those that sleep although they have something new. */
  missed(): string[] {
    return this.dids(({ missed }) => missed);
  }

  /** Those that have entries from this time or before that can expire. */
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

  /** Another one each time. */
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
    return found.toSorted(([, one], [, other]) => one - other).map(([did]) => did);
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

/** Where the whole lane waits, its backfill does too. */
const backfillSince = ({ backfillAt }: CachedLane, readyAt: number | null): number | null =>
  readyAt === null ? backfillAt : Math.max(readyAt, backfillAt ?? 0);
