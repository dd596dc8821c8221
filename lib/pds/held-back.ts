import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';

/** Nothing was sent: the PDS host has failed too often, or asked us to wait. */
export class HostPausedError extends PdsUnavailableError {
  constructor(
    did: string,
    host: string,
    readonly retryAt: Date,
  ) {
    super(`Nothing is sent to the PDS ${host} before ${retryAt.toISOString()}: it does not answer well.`, {
      did,
    });
  }
}

/** Nothing was sent: it would have gone beyond the write points of the account, and a refused call costs its points too. */
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
