import { ParityError, type ParityErrorContext } from './parity.error.js';

/**
 * The PDS (or a service that resolves it) did not answer, or answered with something that is no XRPC
 * response.
 */
export class PdsUnavailableError extends ParityError {
  readonly code = 'PDS_UNAVAILABLE';
  /** The server itself fails, for any account. */
  readonly outage: boolean;

  constructor(
    message: string,
    { outage = false, ...context }: ParityErrorContext & { outage?: boolean } = {},
  ) {
    super(message, context);
    this.outage = outage;
  }
}
