import type { RecordJson } from '../../model/evidence.js';

/** What a source tells of the accounts' repositories. */
export type SourceEvent =
  | {
      readonly kind: 'record';
      readonly did: string;
      readonly collection: string;
      readonly rkey: string;
      /** The revision of the commit. */
      readonly rev: string;
      /** Null for a deletion. */
      readonly cid: string | null;
      /** Given with every CID, in its JSON form. */
      readonly record?: RecordJson;
      /** False for what the source itself has found in an import. */
      readonly live: boolean;
    }
  | { readonly kind: 'account'; readonly did: string; readonly active: boolean; readonly status?: string }
  /** The handle, the keys or the PDS of the account may have changed. */
  | { readonly kind: 'identity'; readonly did: string; readonly handle?: string }
  /** The repository is at `rev` or later, and what happened up to there may not have been told. */
  | { readonly kind: 'sync'; readonly did: string; readonly rev: string }
  /** Events of any account may be missing before the next one. */
  | { readonly kind: 'gap'; readonly reason: string };

export interface SourceBatch {
  /**
   * In the order of the source; those of one account in the order of its commits. Empty for a batch that only
   * moves the cursor over events that nothing asked for.
   */
  readonly events: readonly SourceEvent[];
  /**
   * The position after these events; null while the source has told none, and always null where the service
   * itself keeps the position. A `gap` leaves it where it was until the next event: a source that is opened
   * there once more finds the gap again.
   */
  readonly cursor: string | null;
}

export interface OpenOptions {
  /** The position after the last batch that was acknowledged; null to begin with what happens from now on. */
  readonly cursor: string | null;
  /** The DIDs to tell of; null for all. A source may tell of more. */
  readonly accounts: readonly string[] | null;
  /** NSIDs of the collections to tell of. A source may tell of more. Account events are told in any case. */
  readonly collections: readonly string[];
  /** Ends the iteration, also while it waits. */
  readonly signal: AbortSignal;
}

/**
 * Port to a stream of what happens in repositories.
 *
 * - Events are told at least once.
 * - Asking for the next batch acknowledges the one before: its effects are committed. A source that is opened
 *   again, by this or another process, goes on after the last acknowledged batch.
 * - It reads ahead at most some batches; a consumer that is slow makes it wait, not grow.
 * - What it cannot read (garbage, an unknown operation) it skips with `onSkipped`, and goes on. Where it knows
 *   the account and the revision, it tells a `sync`, so that what was skipped is imported.
 * - A connection that breaks is opened again by the source, with growing pauses. Where it then cannot go on
 *   after the last batch, it tells a `gap` first, and goes on from where it can.
 * - The iteration ends with an error only for what waiting does not mend, such as a refused password.
 */
export interface RecordSource {
  /**
   * Names the positions of this source: kind and host. A position means nothing to a source of another name.
   */
  readonly name: string;
  /** Whether `accounts` are filtered by the source, so that it is opened again when they change. */
  readonly filtersAccounts: boolean;
  open(options: OpenOptions): AsyncIterable<SourceBatch>;
  /** Called for each message that cannot be read, with the reason. Set by the module. */
  onSkipped?: (reason: string) => void;
  /**
   * Called when the connection breaks or cannot be opened, with the reason; the source then tries again. Set
   * by the module.
   */
  onInterrupted?: (reason: string) => void;
}
