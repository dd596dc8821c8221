import { ParityError } from './parity.error.js';

/** The PDS (or what resolves it) did not answer, or answered with something that is no XRPC response. */
export class PdsUnavailableError extends ParityError {
  readonly code = 'PDS_UNAVAILABLE';
}
