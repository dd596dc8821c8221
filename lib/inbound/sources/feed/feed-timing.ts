import { backoff } from '../../../runtime/backoff.js';

/** How patient a source is with its service. */
export interface FeedTiming {
  /** Milliseconds between two pings. A connection that is silent over two of them is given up. */
  readonly ping: number;
  /** Milliseconds after which a batch without events is told, for its cursor. */
  readonly quiet: number;
  /** Milliseconds before the next connection, after so many failures in a row. */
  pause(failures: number): number;
}

export const feedTiming: FeedTiming = {
  ping: 15_000,
  quiet: 5_000,
  pause: (failures) => backoff(failures, 60_000, Math.random, 500),
};
