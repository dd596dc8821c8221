import { ParityError } from './parity.error.js';

/** The module cannot start, or cannot be used, with this configuration; the message says what to change. */
export class ParityOptionsError extends ParityError {
  readonly code = 'INVALID_OPTIONS';
}
