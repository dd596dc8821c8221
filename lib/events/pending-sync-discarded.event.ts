import type { PendingSync } from '../model/pending-sync.js';

/** A pending sync was given up. With the database store it is a dead letter now, which can be requeued. */
export class PendingSyncDiscarded {
  static readonly event = 'parity.pending-sync.discarded';

  constructor(
    readonly pendingSync: PendingSync,
    readonly reason: string,
  ) {}
}
