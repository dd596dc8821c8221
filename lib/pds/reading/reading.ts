import type { RecordUnreadableError } from '../../errors/record-unreadable.error.js';
import type { RecordJson } from '../../model/evidence.js';

/**
 * What a PDS says of an account whose repository it does not give. A reason that this package does not know
 * is told as 'deactivated', so that nothing is removed because of it.
 */
export type InactiveStatus = 'deactivated' | 'suspended' | 'takendown' | 'deleted';

/** The account's own PDS gives nothing of its repository now. That is an answer, and no failure. */
export interface Inactive {
  readonly status: InactiveStatus;
}

export interface StatusReading {
  readonly status: 'active' | InactiveStatus;
  /** Null where the PDS does not tell it. */
  readonly rev: string | null;
}

export interface CommitReading {
  readonly status: 'active';
  readonly cid: string;
  readonly rev: string;
}

/** What a repository holds at an address, as of `rev`; proven by the account's signature. */
export type RecordReading = { readonly status: 'active'; readonly rev: string } & (
  | { readonly cid: null }
  | { readonly cid: string; readonly record: RecordJson }
  | { readonly cid: string; readonly error: RecordUnreadableError }
);

/**
 * A record of a repository. One with an `error` has the address as the tree has it: its parts may be anything
 * where `error.reason` is 'key'.
 */
export type RepositoryRecord = {
  readonly collection: string;
  readonly rkey: string;
  readonly cid: string;
} & ({ readonly record: RecordJson } | { readonly error: RecordUnreadableError });

/**
 * A repository, or some collections of it. Disposing of it gives back its temporary file, and so does the end
 * of an iteration of `records`, by whatever.
 */
export interface RepositoryReading extends AsyncDisposable {
  readonly status: 'active';
  readonly rev: string;
  /**
   * Whether `records`, read to its end without an error, is all that the collections have at `rev`, so that
   * what it lacks is absent. False where the PDS cannot give the repository as one: then `rev` is that of
   * before the first page, and nothing is proven, absence least of all.
   */
  readonly isWhole: boolean;
  /**
   * Can be iterated once. Where `isWhole`, in the byte order of `collection/rkey`.
   *
   * It throws a RepositoryUnreadableError where the tree is broken. The records before it are proven
   * nevertheless, but the absence of none is.
   */
  readonly records: AsyncIterable<RepositoryRecord>;
}

export type InactiveRepository = Inactive & AsyncDisposable;
