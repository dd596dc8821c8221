import { ParityError } from './parity.error.js';

/** The database failed while something was synced, not the PDS; the sync is tried again. */
export class DatabaseError extends ParityError {
  readonly code = 'DATABASE_FAILED';
}
