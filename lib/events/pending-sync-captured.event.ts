import type { PendingSync } from '../model/pending-sync.js';

/** A change was kept for later because an attempt failed, or its account has to sign in again. */
export class PendingSyncCaptured {
  static readonly event = 'parity.pending-sync.captured';

  constructor(
    readonly pendingSync: PendingSync,
    readonly entity: object | undefined,
  ) {}
}
