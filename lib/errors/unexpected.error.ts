import { ParityError } from './parity.error.js';

/**
 * A failure of neither the PDS nor the database: the session provider, or this package, failed. The sync is
 * tried again.
 */
export class UnexpectedError extends ParityError {
  readonly code = 'UNEXPECTED';
}
