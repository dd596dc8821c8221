import { ParityError, type ParityErrorContext } from './parity.error.js';

/**
 * - `key`: the key in the tree is no collection with a record key.
 * - `size`: the record is larger than any PDS takes.
 * - `depth`: objects within objects, deeper than a record of this package may be.
 * - `content`: the bytes are no record of the AT Protocol's data model.
 * - `cid`: the content does not match the CID that the PDS names.
 */
export type RecordUnreadableReason = 'key' | 'size' | 'depth' | 'content' | 'cid';

/** One record of a repository cannot be read. Those beside it can. */
export class RecordUnreadableError extends ParityError {
  readonly code = 'RECORD_UNREADABLE';

  constructor(
    message: string,
    readonly reason: RecordUnreadableReason,
    context: ParityErrorContext = {},
  ) {
    super(message, context);
  }
}
