import { RateLimitedError } from '../errors/rate-limited.error.js';

/**
 * Nothing was sent: it would have exceeded the write points of the account, and a refused call costs its
 * points, too.
 */
export class WritePointsSpentError extends RateLimitedError {
  constructor(did: string, retryAt: Date, backfill: boolean) {
    super(
      `The write points of ${did}${backfill ? ' that a backfill may use' : ''} are spent: the next write can go out at ${retryAt.toISOString()}.`,
      retryAt,
      'account',
      { did },
    );
  }
}
