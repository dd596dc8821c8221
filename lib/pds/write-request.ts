import type { Agent } from '@atproto/api';
import type { InvalidRecordError } from '../errors/invalid-record.error.js';
import type { Address } from '../model/address.js';
import type { RepositoryState, RepositoryStateStore } from './repository-state.store.js';
import type { Commit } from './commit.js';

/** One write, as `decide` asks for it. */
export type RecordWrite =
  | {
      readonly action: 'create' | 'update';
      readonly address: Address;
      /** JSON, as it goes over the wire (blobs and links as objects, not as class instances). */
      readonly record: Record<string, unknown>;
      /** Computed locally; after a commit, the one that the PDS computed. */
      readonly cid: string;
      /** See {@link Replaced}. */
      readonly replaces?: Replaced;
    }
  | { readonly action: 'delete'; readonly address: Address; readonly replaces?: Replaced };

/**
 * The CID that an update or delete replaces, as `decide` sees it. It only tells which writes can share a
 * commit (see `ContentClash`): an update without it goes alone, unless the writer has read its record.
 */
export type Replaced = string | null | undefined;

/** The content that a write gives to its address: a CID, or null for no record. */
export const intentOf = (write: RecordWrite): string | null => (write.action === 'delete' ? null : write.cid);

/** What the writer knows of the addresses of a request when it asks what to write. */
export interface RepositoryView {
  /**
   * - `false`: no other client has written since our last commit, or no write depends on it. What the
   *   database remembers is taken as true.
   * - `true`: `current` was read from the PDS, for every address of the request, at the head that the write
   *   will demand.
   */
  readonly verified: boolean;
  /** CID at the PDS per at-uri (null: no record); complete in a verified view, empty in any other. */
  readonly current: ReadonlyMap<string, string | null>;
  /**
   * At-uris whose current CID (or absence) is the work of this call, or of an earlier request of ours whose
   * answer was lost. A difference to the database there is no foreign edit.
   */
  readonly ours: ReadonlySet<string>;
  /** Those of `ours` without a record, whose delete no caller has settled. Their record keys are used up. */
  readonly deleted: ReadonlySet<string>;
}

export interface WriteRequest {
  readonly did: string;
  readonly agent: Agent;
  /** Every address that `decide` may write. */
  readonly addresses: readonly Address[];
  /**
   * The writes to make, in this order, given the view; an empty list when there are none. Pure, and called
   * again whenever the view changes.
   */
  decide(view: RepositoryView): readonly RecordWrite[];
  /** Passed to `applyWrites`: whether records must match a lexicon; undefined leaves it to the PDS. */
  readonly validate?: boolean | undefined;
  /** Begins with a verified view, for addresses that other clients may write as well (fixed record keys). */
  readonly verify?: boolean | undefined;
  /** Instead of the writer's own, where the caller has a connection for it. */
  readonly state?: RepositoryStateStore | undefined;
  /** Leaves a part of the account's write points to others; see `WriteBudget`. */
  readonly backfill?: boolean | undefined;
  /**
   * Awaited before each request that writes: asks for the right to send one that may take so many
   * milliseconds. An error ends the call, and nothing is sent.
   */
  permit?(milliseconds: number): Promise<void>;
  /** Gives up waiting. A request that is under way may still land; the next write of this DID finds out. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Awaited after each commit, with its writes, which are to be settled now: an error of a later commit is
   * thrown.
   *
   * - A commit whose answer was lost is told as well, once it is known to have landed, with the head at which
   *   it was found.
   * - If this throws, the next write of the DID treats the commit as one with an unknown outcome.
   *
   * @param after goes to `RepositoryStateStore.settled` next, unless the transaction that settles the writes
   *   keeps it
   */
  onCommit?(writes: readonly RecordWrite[], commit: Commit, after: RepositoryState): Promise<void>;
  /**
   * Awaited at the end if there is something in `WriteReport.found`, which is to be settled before the state
   * store forgets it.
   *
   * @param at the head at which it was found; null if its revision is not known
   */
  onFound?(
    found: ReadonlyMap<string, string | null>,
    after: RepositoryState,
    at: Commit | null,
  ): Promise<void>;
}

export interface WriteReport {
  /** The writes of this call, including those whose answer was lost and that were found to have landed. */
  readonly committed: readonly RecordWrite[];
  /** Refused for good, by at-uri; all other writes went through. */
  readonly refused: ReadonlyMap<string, InvalidRecordError>;
  /**
   * Addresses that an earlier call, whose answer was lost, has written as `decide` wants them (at-uri to CID,
   * null for a delete). No caller was told of them when it happened.
   */
  readonly found: ReadonlyMap<string, string | null>;
  /** The repository's head after the last commit; null if none was asked for. */
  readonly head: string | null;
}
