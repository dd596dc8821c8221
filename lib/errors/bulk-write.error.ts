import { ParityError } from './parity.error.js';

/** A write that names no entity (query builder) met `onBulkWrite: 'throw'`; it was prevented. */
export class BulkWriteError extends ParityError {
  readonly code = 'BULK_WRITE';
}
