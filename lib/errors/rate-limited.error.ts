import { ParityError, type ParityErrorContext } from './parity.error.js';

/** The PDS refused the call for its rate limit. */
export class RateLimitedError extends ParityError {
  readonly code = 'RATE_LIMITED';

  /**
   * @param retryAt when the limit ends, from `Retry-After` or `RateLimit-Reset`
   * @param limitOf what the limit applies to: every account of that PDS host, or this account
   */
  constructor(
    message: string,
    readonly retryAt: Date,
    readonly limitOf: 'host' | 'account',
    context: ParityErrorContext = {},
  ) {
    super(message, context);
  }
}
