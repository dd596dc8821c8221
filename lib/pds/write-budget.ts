import type { WriteLimit } from '../model/options.js';

/** The price of a write (https://docs.bsky.app/docs/advanced-guides/rate-limits), refused ones included. */
export const WRITE_POINTS = { create: 3, update: 2, delete: 1 } as const;

/** Points that were spent on a repository, with their times in milliseconds since 1970, oldest first. */
export type SpentPoints = readonly (readonly [at: number, points: number])[];

export interface WriteBudgetOptions {
  readonly limits: readonly WriteLimit[];
  /**
   * The part of every limit that a backfill may use; the rest is for what users do now. Above 0, at most 1.
   */
  readonly backfillShare: number;
}

/** The precision of times, as a part of the limit's window: spent points are stored with every request. */
const PARTS = 60;

/**
 * The write points of accounts. A PDS counts them in windows that begin with the first write. It shows them
 * only when they are nearly spent, and a refused call costs its points, too. So they are counted here, over
 * every stretch of time that is as long as a window: what keeps a limit in each of them keeps it in the PDS's
 * window as well. The points that other clients of an account spend are not seen.
 */
export class WriteBudget {
  private readonly limits: readonly WriteLimit[];

  constructor(private readonly options: WriteBudgetOptions) {
    this.limits = options.limits.toSorted((a, b) => a.seconds - b.seconds);
  }

  /** Points that can be spent now. */
  left(spent: SpentPoints, backfill: boolean, now = Date.now()): number {
    const left = this.limits.map((limit) => this.allowed(limit, backfill) - sum(within(limit, spent, now)));
    return Math.max(0, Math.min(Infinity, ...left));
  }

  /** When so many points can be spent. */
  freeAt(points: number, spent: SpentPoints, backfill: boolean, now = Date.now()): Date {
    const times = this.limits.map((limit) => {
      const recent = within(limit, spent, now);
      let excess = sum(recent) + points - this.allowed(limit, backfill);
      for (const [at, some] of recent) {
        if (excess <= 0) return now;
        excess -= some;
        if (excess <= 0) return at + limit.seconds * 1_000;
      }
      return now;
    });
    return new Date(Math.max(now, ...times));
  }

  /** Adds points that are spent by `at`, and drops those that no longer count. */
  spend(points: number, spent: SpentPoints, at: number, now = Date.now()): SpentPoints {
    const [shortest, longest] = [this.limits[0], this.limits.at(-1)];
    if (!shortest || !longest || points === 0) return spent;
    const parts = new Map<number, number>();
    for (const [time, some] of [...within(longest, spent, now), [at, points] as const]) {
      // Coarse only once the shortest limit no longer counts them: they must not count there again.
      const coarse = endOfPart(time, longest);
      const end = coarse <= now - shortest.seconds * 1_000 ? coarse : endOfPart(time, shortest);
      parts.set(end, (parts.get(end) ?? 0) + some);
    }
    return [...parts].toSorted(([a], [b]) => a - b);
  }

  /**
   * How long a backfill of so many points waits at least, in a repository to which no other client writes.
   */
  secondsFor(points: number): number {
    let rest = points;
    let seconds = 0;
    for (const limit of this.limits.toReversed()) {
      // The last stretch needs no waiting.
      const full = Math.max(0, Math.ceil(rest / this.allowed(limit, true)) - 1);
      seconds += full * limit.seconds;
      rest -= full * this.allowed(limit, true);
    }
    return seconds;
  }

  private allowed({ points }: WriteLimit, backfill: boolean): number {
    return backfill ? Math.max(WRITE_POINTS.create, Math.floor(points * this.options.backfillShare)) : points;
  }
}

export const costOf = (writes: readonly { readonly action: keyof typeof WRITE_POINTS }[]): number =>
  writes.reduce((points, { action }) => points + WRITE_POINTS[action], 0);

/**
 * Rounds up, so that nothing is forgotten too early; in whole milliseconds, so that rounding twice changes
 * nothing.
 */
const endOfPart = (time: number, { seconds }: WriteLimit): number => {
  const part = Math.ceil((seconds * 1_000) / PARTS);
  return Math.ceil(time / part) * part;
};

const within = ({ seconds }: WriteLimit, spent: SpentPoints, now: number): SpentPoints =>
  spent.filter(([at]) => at > now - seconds * 1_000);

const sum = (spent: SpentPoints): number => spent.reduce((points, [, some]) => points + some, 0);
