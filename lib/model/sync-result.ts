export type SyncStatus = 'published' | 'unchanged' | 'unpublished' | 'pending' | 'skipped' | 'failed';

export interface SyncResultFields {
  readonly uri?: string | undefined;
  readonly cid?: string | undefined;
  /** Why it failed, or what the pending sync met. */
  readonly error?: Error | undefined;
  /** For people: why it was skipped, is pending, or failed. */
  readonly reason?: string | undefined;
}

/**
 * What became of one sync.
 *
 * - `published`: the record was created or updated.
 * - `unchanged`: the record already was what it should be; no write was made.
 * - `unpublished`: the record was deleted.
 * - `pending`: kept as a pending sync, or still going on when the caller's deadline was over.
 * - `skipped`: nothing is to be done (not eligible, no DID).
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

  /** The record is what it should be now (nothing that failed, and nothing that still has to be done). */
  isSuccess(): boolean {
    return this.status !== 'failed' && this.status !== 'pending';
  }

  isFailed(): boolean {
    return this.status === 'failed';
  }
}
