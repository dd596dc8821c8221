import type { SyncOperation } from '../model/pending-sync.js';

/** A sync failed. `willRetry` tells whether it is kept as a pending sync. */
export class SyncFailed {
  static readonly event = 'parity.sync.failed';

  constructor(
    readonly did: string | undefined,
    readonly uri: string | undefined,
    readonly operation: SyncOperation,
    readonly error: Error,
    readonly willRetry: boolean,
    readonly entityName: string,
    readonly entityId: string,
    readonly entity: object | undefined,
  ) {}
}
