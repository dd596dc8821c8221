import { ParityError } from './parity.error.js';

/**
 * The database refuses the write to the row that tells of its record (a trigger, a check), and has to be
 * mended.
 */
export class RowRefusedError extends ParityError {
  readonly code = 'ROW_REFUSED';
}
