import { unresolvedToPending } from '../pending/change-entries.js';
import type { LaneStore } from '../pending/lane.store.js';
import type { PendingChangeStore } from '../pending/pending-change.store.js';
import type { Capture } from '../sync/capture.js';
import type { Resolved, Unresolved } from '../sync/change.js';
import { resolveCommitted } from '../sync/change-resolver.js';
import type { CommittedBatch } from '../sync/committed-batch.js';
import type { SettledVersions } from '../sync/settled-versions.js';
import type { SyncRun } from '../sync/sync-run.js';
import { UNRESOLVED_DID } from '../sync/unresolved.js';

/** For a store that cannot join the entity's transaction: a change is captured once it has failed. */
export class CaptureOnFailure implements Capture {
  constructor(
    private readonly store: Pick<PendingChangeStore, 'capture'> & Pick<LaneStore, 'wake'>,
    private readonly versions: SettledVersions,
  ) {}

  inTransaction(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  committed({ writes }: CommittedBatch, run: SyncRun): Promise<Resolved> {
    return resolveCommitted(writes, run, this.versions);
  }

  async keepUnresolved(unresolved: readonly Unresolved[]): Promise<boolean> {
    try {
      await this.store.capture(unresolved.map(unresolvedToPending));
      await this.store.wake(UNRESOLVED_DID);
      return true;
    } catch {
      return false;
    }
  }

  byHand(): Promise<void> {
    return Promise.resolve();
  }
}
