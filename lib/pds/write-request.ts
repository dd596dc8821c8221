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
      /** Computed locally; after a commit it is the one that the PDS computed. */
      readonly cid: string;
      /** See {@link Replaced}. */
      readonly replaces?: Replaced;
    }
  | { readonly action: 'delete'; readonly address: Address; readonly replaces?: Replaced };

/**
 * The CID that an update or delete replaces, as `decide` sees it. Only serves to tell which writes can share a
 * commit (see `ContentClash`): an update without it goes alone, unless the writer has read its record.
 */
export type Replaced = string | null | undefined;

/** What a write makes of its address: a CID, or null for no record. */
export const intentOf = (write: RecordWrite): string | null => (write.action === 'delete' ? null : write.cid);

/** What the writer knows of the addresses of a request when it asks what to write. */
export interface RepositoryView {
  /**
   * `false`: nobody else has written since our last commit, or nothing is to be written whose outcome depends
   * on it: what the database remembers is taken as true. `true`: `current` was read from the PDS, for every
   * address of the request, at the head that the write will demand.
   */
  readonly verified: boolean;
  /** CID at the PDS per at-uri (null: no record); complete in a verified view, empty in any other. */
  readonly current: ReadonlyMap<string, string | null>;
  /**
   * At-uris whose current CID (or absence) is the work of this very call, or of an earlier request of ours whose
   * answer was lost: what the database does not remember there is no foreign edit.
   */
  readonly ours: ReadonlySet<string>;
  /** Those of `ours` without a record, whose delete nobody has settled: their record keys are spent. */
  readonly deleted: ReadonlySet<string>;
}

export interface WriteRequest {
  readonly did: string;
  readonly agent: Agent;
  /** Every address that `decide` may write. */
  readonly addresses: readonly Address[];
  /**
   * What has to be written, in this order, given the view; an empty list when nothing has to. Pure, and called
   * again whenever the view changes.
   */
  decide(view: RepositoryView): readonly RecordWrite[];
  /** Passed to `applyWrites`: whether records must match a lexicon; undefined leaves it to the PDS. */
  readonly validate?: boolean | undefined;
  /** Begin with a verified view, for addresses that others may write as well (fixed record keys). */
  readonly verify?: boolean | undefined;
  /** Instead of the writer's own, where the caller has a connection for it. */
  readonly state?: RepositoryStateStore | undefined;
  /** Leaves a part of the account's write points to others; see `WriteBudget`. */
  readonly backfill?: boolean | undefined;
  /**
   * Awaited before each request that writes: the right to send one that may take so many milliseconds. An error ends the call with nothing sent.
   */
  permit?(milliseconds: number): Promise<void>;
  /** Gives up waiting. A request that is under way may still land; the next write of this DID finds out. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Awaited after each commit, with its writes: the moment to settle them, since an error that a later commit
   * meets is thrown. A commit whose answer was lost is told as well, once it is known to have landed, with the
   * head at which it was found. If this throws, the next write of the DID treats the commit as one with an unknown outcome.
   *
   * @param after goes to `RepositoryStateStore.settled` next, unless what settles the writes keeps it along with them
   */
  onCommit?(writes: readonly RecordWrite[], commit: Commit, after: RepositoryState): Promise<void>;
  /** Awaited at the end if there is something in `WriteReport.found`, before the state store forgets it: the moment to settle it. */
  onFound?(found: ReadonlyMap<string, string | null>, after: RepositoryState): Promise<void>;
}

export interface WriteReport {
  /** What this call wrote, those commits included whose answer was lost and that were found to have landed. */
  readonly committed: readonly RecordWrite[];
  /** Refused for good, by at-uri; all others went on. */
  readonly refused: ReadonlyMap<string, InvalidRecordError>;
  /**
   * Addresses that `decide` left as an earlier call had made them, whose answer was lost (at-uri to CID, null
   * for a delete). They are published, but nobody was told when it happened.
   */
  readonly found: ReadonlyMap<string, string | null>;
  /** The repository's head after the last commit; null if none was asked for. */
  readonly head: string | null;
}
