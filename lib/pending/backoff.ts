const FIRST = 5_000;
const LONGEST = 15 * 60_000;

/** Milliseconds to wait after `failures` transient failures in a row: doubling from 5 seconds to 15 minutes, with up to a third of jitter. */
export function backoff(failures: number, random: () => number = Math.random): number {
  const full = Math.min(LONGEST, FIRST * 2 ** Math.min(failures - 1, 20));
  return Math.round(full * (1 - random() / 3));
}
