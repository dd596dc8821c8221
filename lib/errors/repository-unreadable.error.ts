import { ParityError, type ParityErrorContext } from './parity.error.js';

/**
 * - `not-a-car`: the PDS answered with something else, such as a page of HTML.
 * - `cut-off`: the answer ends in the middle of a block.
 * - `wrong-hash`: the bytes of a block do not match its CID.
 * - `missing-block`: the tree names a block that the answer lacks.
 * - `invalid-commit`: the commit is not readable, or of another account.
 * - `wrong-signature`: the key of the account has not signed the commit.
 * - `invalid-tree`: keys out of order, or nodes that are none.
 * - `too-large`: the answer is larger than the limit.
 * - `no-proof`: the PDS says that there is no record, without the proof of its absence.
 * - `changed`: the account was deactivated, or its repository went back, while it was read in pages.
 */
export type RepositoryUnreadableReason =
  | 'not-a-car'
  | 'cut-off'
  | 'wrong-hash'
  | 'missing-block'
  | 'invalid-commit'
  | 'wrong-signature'
  | 'invalid-tree'
  | 'too-large'
  | 'no-proof'
  | 'changed';

/** A PDS answered, but its answer proves nothing of the repository. */
export class RepositoryUnreadableError extends ParityError {
  readonly code = 'REPOSITORY_UNREADABLE';

  constructor(
    message: string,
    readonly reason: RepositoryUnreadableReason,
    context: ParityErrorContext = {},
  ) {
    super(message, context);
  }
}
