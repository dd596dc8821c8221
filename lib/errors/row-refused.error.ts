import { ParityError } from './parity.error.js';

/**
 * The database refuses to write to a row what became of its record (a trigger, a check): that has to be
 * mended there.
 */
export class RowRefusedError extends ParityError {
  readonly code = 'ROW_REFUSED';
}
