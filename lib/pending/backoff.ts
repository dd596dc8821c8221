import { RateLimitedError } from '../errors/rate-limited.error.js';
import type { Outcome } from '../sync/outcome.js';

const FIRST = 5_000;
const LONGEST = 15 * 60_000;

/** Milliseconds to wait after `failures` transient failures in a row: doubling from 5 seconds to 15 minutes, with up to a third of jitter. */
export function backoff(failures: number, random: () => number = Math.random): number {
  const full = Math.min(LONGEST, FIRST * 2 ** Math.min(failures - 1, 20));
  return Math.round(full * (1 - random() / 3));
}

/** When a lane may be tried again after these failures: not before a PDS that limits us has said; null if none of them was transient. */
export function nextTry(
  failed: readonly Outcome[],
  failures: number,
): { readonly retryAt: Date | null; readonly failures: number } {
  const transient = failed.filter(({ failure }) => failure?.kind === 'transient');
  if (transient.length === 0) return { retryAt: null, failures: 0 };
  const told = transient
    .map(({ failure }) => failure?.error)
    .filter((error) => error instanceof RateLimitedError)
    .map(({ retryAt }) => retryAt.getTime());
  const soonest = Date.now() + backoff(failures + 1);
  return { retryAt: new Date(Math.max(soonest, ...told)), failures: failures + 1 };
}
