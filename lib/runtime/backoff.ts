const FIRST = 5_000;

/**
 * Milliseconds to wait after `failures` transient failures in a row: doubling from `first`, 5 seconds, to
 * `longest`, with up to a third of jitter.
 */
export function backoff(
  failures: number,
  longest: number,
  random: () => number = Math.random,
  first = FIRST,
): number {
  const full = Math.min(longest, first * 2 ** Math.min(failures - 1, 20));
  return Math.round(full * (1 - random() / 3));
}

/** When to look again at a row that another transaction holds: in a second. */
export const soon = (): Date => new Date(Date.now() + 1_000);
