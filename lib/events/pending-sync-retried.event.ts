import type { PendingSync } from '../model/pending-sync.js';

/** A pending sync was tried; emitted once per attempt. */
export class PendingSyncRetried {
  static readonly event = 'parity.pending-sync.retried';

  constructor(
    readonly pendingSync: PendingSync,
    readonly success: boolean,
  ) {}
}
