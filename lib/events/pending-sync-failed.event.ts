import type { PendingSync } from '../model/pending-sync.js';

/** An attempt of a pending sync failed for another reason than authentication. */
export class PendingSyncFailed {
  static readonly event = 'parity.pending-sync.failed';

  constructor(
    readonly pendingSync: PendingSync,
    readonly error: Error,
  ) {}
}
