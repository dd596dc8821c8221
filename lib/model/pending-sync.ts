export type SyncOperation = 'publish' | 'republish' | 'unpublish';

/**
 * A change that is kept until it is synced; at most one per address. Immutable and serialisable. Each attempt
 * decides from the entity what to do; `operation` is what was due when the change was captured.
 */
export interface PendingSync {
  /** Names this pending sync for `find` and `remove`; equal to `uri`. */
  readonly id: string;
  readonly did: string;
  readonly collection: string;
  readonly rkey: string;
  readonly uri: string;
  readonly entityName: string;
  /** The primary key as a string (a single key as it is, a composite key as JSON). */
  readonly entityId: string;
  readonly operation: SyncOperation;
  /** Attempts in which the record itself failed; a lost session or an outage does not count. */
  readonly attempts: number;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Message of the last failure; null before the first. */
  readonly lastError: string | null;
}
