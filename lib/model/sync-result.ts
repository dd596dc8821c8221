export type SyncStatus = 'published' | 'unchanged' | 'unpublished' | 'pending' | 'skipped' | 'failed';

export interface SyncResultFields {
  readonly uri?: string | undefined;
  readonly cid?: string | undefined;
  /** Why the sync failed, or what its first attempt met. */
  readonly error?: Error | undefined;
  /** For people: why it was skipped, is pending, or failed. */
  readonly reason?: string | undefined;
}

/**
 * The outcome of one sync.
 *
 * - `published`: the record was created or updated.
 * - `unchanged`: the record already was as it should be; no write was made.
 * - `unpublished`: the record was deleted.
 * - `pending`: kept as a pending sync, or still going on when the caller's deadline was over.
 * - `skipped`: there was nothing to do (not eligible, no DID).
 * - `failed`: see `error`.
 */
export class SyncResult implements SyncResultFields {
  readonly uri: string | undefined;
  readonly cid: string | undefined;
  readonly error: Error | undefined;
  readonly reason: string | undefined;

  constructor(
    readonly status: SyncStatus,
    fields: SyncResultFields = {},
  ) {
    this.uri = fields.uri;
    this.cid = fields.cid;
    this.error = fields.error;
    this.reason = fields.reason ?? fields.error?.message;
  }

  /** Whether the record is as it should be: no failure, and nothing left to do. */
  isSuccess(): boolean {
    return this.status !== 'failed' && this.status !== 'pending';
  }

  isFailed(): boolean {
    return this.status === 'failed';
  }
}
