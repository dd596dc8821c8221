import { ParityError } from './parity.error.js';

/** The database, and not the PDS, failed during a sync; the sync is tried again. */
export class DatabaseError extends ParityError {
  readonly code = 'DATABASE_FAILED';
}
