import { ParityError } from './parity.error.js';

/** Another client created, changed or deleted the record at this address, and `onConflict` is 'fail'. */
export class RecordConflictError extends ParityError {
  readonly code = 'RECORD_CONFLICT';
}
