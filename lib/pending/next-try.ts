import { RateLimitedError } from '../errors/rate-limited.error.js';
import { backoff } from '../pds/backoff.js';
import { HostPausedError, WritePointsSpentError } from '../pds/held-back.js';
import type { Outcome } from '../sync/outcome.js';
import type { LaneNext } from './pending-entry.js';

/** In ms. */
const LONGEST = 15 * 60_000;
/** In ms: lanes that wait for the same host come back one after the other. */
const SPREAD = 2_000;

/** What becomes of a lane that is given back. */
export interface LaneAfter {
  readonly next: LaneNext;
  /** Transient failures in a row. */
  readonly failures: number;
}

/** What becomes of a lane after an error that says nothing of when to try again. */
export const backedOff = (failures: number): LaneAfter & { readonly next: { readonly retryAt: Date } } => ({
  next: { retryAt: new Date(Date.now() + backoff(failures + 1, LONGEST)) },
  failures: failures + 1,
});

/** Nothing was sent, so nothing has failed: the lane waits until then, or if it came to its backfill, that does. */
export const heldBack = (retryAt: Date, backfill: boolean): LaneNext =>
  backfill ? { backfillAt: retryAt } : { retryAt: new Date(retryAt.getTime() + Math.random() * SPREAD) };

/** What becomes of a lane after these failures: not tried before a PDS that limits us has said; `next` if none of them was transient. */
export function nextTry(
  failed: readonly Outcome[],
  { failures, next, backfill }: { failures: number; next: LaneNext; backfill: boolean },
): LaneAfter {
  const errors = failed.flatMap(({ failure }) => (failure?.kind === 'transient' ? [failure.error] : []));
  if (errors.length === 0) return { next, failures: 0 };
  const told = errors.filter(
    (error) => error instanceof RateLimitedError || error instanceof HostPausedError,
  );
  const latest = new Date(Math.max(0, ...told.map(({ retryAt }) => retryAt.getTime())));
  const notSent = errors.every(
    (error) => error instanceof WritePointsSpentError || error instanceof HostPausedError,
  );
  if (notSent) return { next: heldBack(latest, backfill), failures };
  const off = backedOff(failures);
  return latest > off.next.retryAt ? { ...off, next: { retryAt: latest } } : off;
}
