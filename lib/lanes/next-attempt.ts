import { causesOf } from '../errors/causes-of.js';
import type { ParityError } from '../errors/parity.error.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { RetryLaterError } from '../errors/retry-later.error.js';
import { backoff } from '../runtime/backoff.js';
import { HostPausedError } from '../pds/host-paused.error.js';
import { WritePointsSpentError } from '../pds/write-points-spent.error.js';
import { MethodMissingError } from '../pds/method-missing.error.js';
import type { Outcome } from '../sync/outcome.js';
import type { LaneAfter, LaneNext } from '../pending/pending-entry.js';

/** In ms. */
const LONGEST = 15 * 60_000;
/** In ms. Spreads lanes that wait for the same host over this time. */
const SPREAD = 2_000;

/** What becomes of a lane after an error that does not say when to try again. */
export const backedOff = (failures: number): LaneAfter & { readonly next: { readonly retryAt: Date } } => ({
  next: { retryAt: new Date(Date.now() + backoff(failures + 1, LONGEST)) },
  failures: failures + 1,
});

/**
 * What becomes of a lane in which nothing was sent, so that nothing has failed. It waits until `retryAt`; if
 * it had come to its backfill, only the backfill waits.
 */
export const heldBack = (retryAt: Date, backfill: boolean): LaneNext =>
  backfill ? { backfillAt: retryAt } : { retryAt: new Date(retryAt.getTime() + Math.random() * SPREAD) };

/**
 * When the first of these may succeed. An error that names no time waits as long as the backoff of the lane.
 */
const soonest = (errors: readonly ParityError[], failures: number): Date => {
  const times = errors.map((error) => {
    const told = [...causesOf(error)].find((one) => one instanceof RetryLaterError);
    return (told?.retryAt ?? backedOff(failures).next.retryAt).getTime();
  });
  return new Date(Math.min(...times));
};

/**
 * What becomes of a lane after these failures. It is not attempted before the time that a limiting PDS has
 * named. `next` applies if no failure was transient.
 */
export function nextAttempt(
  failed: readonly Outcome[],
  { failures, next, backfill }: { failures: number; next: LaneNext; backfill: boolean },
): LaneAfter {
  const errors = failed.flatMap(({ failure }) => (failure?.kind === 'transient' ? [failure.error] : []));
  const later = failed.flatMap(({ failure }) => (failure?.kind === 'later' ? [failure.error] : []));
  if (errors.length === 0)
    return later.length === 0
      ? { next, failures: 0 }
      : { next, failures: failures + 1, wakeAt: soonest(later, failures) };
  const told = errors.filter(
    (error) =>
      error instanceof RateLimitedError ||
      error instanceof HostPausedError ||
      error instanceof MethodMissingError,
  );
  const latest = new Date(Math.max(0, ...told.map(({ retryAt }) => retryAt.getTime())));
  const notSent = errors.every(
    (error) => error instanceof WritePointsSpentError || error instanceof HostPausedError,
  );
  if (notSent) return { next: heldBack(latest, backfill), failures };
  const off = backedOff(failures);
  return latest > off.next.retryAt ? { ...off, next: { retryAt: latest } } : off;
}
