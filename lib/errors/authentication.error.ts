import { ParityError } from './parity.error.js';

/**
 * The PDS does not let this account write now (for example: deactivated or taken down).
 * The row in the database is saved all the same: `committed` is true.
 */
export class AuthenticationError extends ParityError {
  readonly code: string = 'AUTHENTICATION_FAILED';
  readonly committed = true;
}
