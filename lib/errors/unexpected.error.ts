import { ParityError } from './parity.error.js';

/**
 * Something failed that is neither the PDS nor the database: the session provider, or this package; the sync
 * is tried again.
 */
export class UnexpectedError extends ParityError {
  readonly code = 'UNEXPECTED';
}
