import {
  RepositoryUnreadableError,
  type RepositoryUnreadableReason,
} from '../../errors/repository-unreadable.error.js';

/** What the PDS of a DID sent is no repository of it. */
export const broken = (
  did: string,
  reason: RepositoryUnreadableReason,
  detail: string,
  cause?: unknown,
): RepositoryUnreadableError =>
  new RepositoryUnreadableError(`The repository of ${did} cannot be read: ${detail}.`, reason, {
    did,
    cause,
  });
