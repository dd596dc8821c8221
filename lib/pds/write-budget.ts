import type { WriteLimit } from '../model/options.js';

/** What a write costs (https://docs.bsky.app/docs/advanced-guides/rate-limits), also when it is refused. */
export const WRITE_POINTS = { create: 3, update: 2, delete: 1 } as const;

/** What was spent on a repository: milliseconds since 1970, and points. Oldest first. */
export type SpentPoints = readonly (readonly [at: number, points: number])[];

export interface WriteBudgetOptions {
  readonly limits: readonly WriteLimit[];
  /** The part of every limit that a backfill may use; the rest is for what users do now. Above 0, at most 1. */
  readonly backfillShare: number;
}

/** How finely the time of a limit is told apart: what was spent is stored with every request. */
const PARTS = 60;

/**
 * The write points of accounts. A PDS counts them in windows that begin with somebody's first write, and shows them only when they are
 * nearly spent, while a refused call costs its points all the same. So they are counted here, over every stretch of time that is as long as a
 * window: what keeps a limit in each of them keeps it in the PDS's window as well. What other clients of an account spend is not seen.
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

  /** With points that are spent by `at`, and without what counts no more. */
  spend(points: number, spent: SpentPoints, at: number, now = Date.now()): SpentPoints {
    const [shortest, longest] = [this.limits[0], this.limits.at(-1)];
    if (!shortest || !longest || points === 0) return spent;
    const parts = new Map<number, number>();
    for (const [time, some] of [...within(longest, spent, now), [at, points] as const]) {
      // Coarsely only what is over for the shortest limit: it must not count there again.
      const coarse = endOfPart(time, longest);
      const end = coarse <= now - shortest.seconds * 1_000 ? coarse : endOfPart(time, shortest);
      parts.set(end, (parts.get(end) ?? 0) + some);
    }
    return [...parts].toSorted(([a], [b]) => a - b);
  }

  /** How long a backfill of so many points waits at least, in a repository that nobody else writes to. */
  secondsFor(points: number): number {
    let rest = points;
    let seconds = 0;
    for (const limit of this.limits.toReversed()) {
      // The last stretch is not waited for.
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

/** Nothing is forgotten too early. In whole milliseconds: what is rounded twice stays where it is. */
const endOfPart = (time: number, { seconds }: WriteLimit): number => {
  const part = Math.ceil((seconds * 1_000) / PARTS);
  return Math.ceil(time / part) * part;
};

const within = ({ seconds }: WriteLimit, spent: SpentPoints, now: number): SpentPoints =>
  spent.filter(([at]) => at > now - seconds * 1_000);

const sum = (spent: SpentPoints): number => spent.reduce((points, [, some]) => points + some, 0);
