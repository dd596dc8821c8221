export type SyncOperation = 'publish' | 'republish' | 'unpublish';

/**
 * A change that is kept because it is not done yet; at most one per address. Immutable and serialisable.
 * What to do is decided from the entity when it is tried; `operation` is what was due when it was captured.
 */
export interface PendingSync {
  /** Names this pending sync for `find` and `remove`; equal to `uri`, as there is one per address. */
  readonly id: string;
  readonly did: string;
  readonly collection: string;
  readonly rkey: string;
  readonly uri: string;
  readonly entityName: string;
  /** The primary key as a string (a single key as it is, a composite key as JSON). */
  readonly entityId: string;
  readonly operation: SyncOperation;
  /** Tries in which the record itself failed; a dead session or an outage spends none. */
  readonly attempts: number;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Message of the last failure; null before the first. */
  readonly lastError: string | null;
}
