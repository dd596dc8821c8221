import { AuthenticationError } from '../errors/authentication.error.js';
import type { ParityEvents } from '../events/parity-events.js';
import { PendingSyncCaptured } from '../events/pending-sync-captured.event.js';
import { PendingSyncFailed } from '../events/pending-sync-failed.event.js';
import { PendingSyncRetried } from '../events/pending-sync-retried.event.js';
import { SyncFailed } from '../events/sync-failed.event.js';
import type { PendingEntry } from '../pending/pending-entry.js';
import type { Change } from '../sync/change.js';
import { UNRESOLVED_DID } from '../sync/unresolved.js';
import type { AttemptResult } from './lane-attempts.js';
import type { RetryTally } from './retry-tally.js';

/** Tells the listeners and the caller of a retry what became of the entries that it has attempted. */
export class RetryReports {
  constructor(private readonly events: ParityEvents) {}

  /**
   * @param entries the attempted changes with their entries, as they were before
   * @throws AuthenticationError if the account has to act
   */
  tell(
    { outcomes, kept }: AttemptResult,
    entries: ReadonlyMap<Change, PendingEntry>,
    tally: RetryTally,
  ): void {
    for (const outcome of outcomes) {
      const { change, failure } = outcome;
      const entry = entries.get(change);
      if (!entry) continue;
      const sync = kept.get(entry.sync.uri)?.sync ?? entry.sync;
      this.events.emit(new PendingSyncRetried(sync, failure === undefined));
      if (failure === undefined) {
        tally.succeeded += 1;
        continue;
      }
      // This was the first attempt on a change that was captured before any.
      if (entry.sync.lastError === null && outcome.result.error) {
        const { did, uri, operation, entityName, entityId } = sync;
        const { error } = failure;
        // An account that could not be determined was reported when that was found.
        if (did !== UNRESOLVED_DID)
          this.events.emit(
            new SyncFailed(did, uri, operation, error, true, entityName, entityId, outcome.entity),
          );
        this.events.emit(new PendingSyncCaptured(sync, outcome.entity));
      }
      if (failure.kind === 'auth') throw failure.error;
      tally.fail(failure.error.message, failure.kind === 'transient');
      if (outcome.result.error && !(failure.error instanceof AuthenticationError))
        this.events.emit(new PendingSyncFailed(sync, failure.error));
    }
  }
}
