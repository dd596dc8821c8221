import { ParityError, type ParityErrorContext } from './parity.error.js';

/** The record itself is wrong; the same record will be refused again. */
export class InvalidRecordError extends ParityError {
  readonly code = 'INVALID_RECORD';

  /** The place in the record, such as `$.embed.images[0].alt`; undefined where the PDS does not say. */
  declare readonly path: string | undefined;

  constructor(message: string, context: ParityErrorContext = {}, path?: string) {
    super(message, context);
    if (path !== undefined) this.path = path;
  }
}
