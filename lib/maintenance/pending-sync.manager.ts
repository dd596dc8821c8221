import type { PendingSync, SyncOperation } from '../model/pending-sync.js';
import { PendingSyncRetryResult } from '../model/pending-sync-retry-result.js';
import { atUri } from '../model/address.js';
import type { SyncService } from '../sync/sync.service.js';
import { toPending } from '../pending/change-entries.js';
import type { LaneDiscards } from '../lanes/lane-discards.js';
import type { LaneLoop } from '../lanes/lane.loop.js';
import type { LaneWorker } from '../lanes/lane.worker.js';
import type { PendingChangeStore } from '../pending/pending-change.store.js';
import type { PendingSyncReader } from '../pending/pending-sync.reader.js';

/** The parts behind the manager while pending syncs are enabled. */
export interface PendingSyncs {
  readonly store: PendingChangeStore & PendingSyncReader;
  readonly discards: LaneDiscards;
  readonly worker: LaneWorker;
  readonly loop: LaneLoop;
}

/** The pending syncs of the accounts. While they are disabled there are none, and no sync is kept. */
export class PendingSyncManager {
  constructor(
    private readonly pending: PendingSyncs | null,
    private readonly sync: SyncService,
  ) {}

  isEnabled(): boolean {
    return this.pending !== null;
  }

  /**
   * Keeps a sync of a saved entity for later, without attempting it now. An attempt decides from the entity
   * as it is then. `operation` 'unpublish' asks for its record to be deleted.
   *
   * @returns null if pending syncs are disabled, or the entity has no DID
   */
  async capture(entity: object, operation: SyncOperation = 'publish'): Promise<PendingSync | null> {
    const change = this.pending && (await this.sync.changeOf(entity, operation));
    if (!this.pending || !change) return null;
    await this.pending.store.capture([toPending(change)]);
    return this.pending.store.find(atUri(change.address));
  }

  /** Oldest first; empty if there are none. */
  async forDid(did: string): Promise<PendingSync[]> {
    return (await this.pending?.store.forDid(did)) ?? [];
  }

  /**
   * Attempts each pending sync of an account once, now, whatever it waits for.
   *
   * - Two concurrent calls attempt no sync twice.
   * - While another process works on the account, the call waits, up to 30 seconds. What that process has
   *   done counts as succeeded, and what is still pending after that counts as failed.
   *
   * @throws OAuthSessionInvalidError (AuthenticationError) if the account still has to sign in; no attempt is
   *   used up, and nothing is lost
   */
  async retryForDid(did: string): Promise<PendingSyncRetryResult> {
    if (!this.pending) return new PendingSyncRetryResult(0, 0, 0, 0);
    return this.pending.worker.work(did, { backlog: true });
  }

  /**
   * Works off what is due now, of all accounts, and resolves when that is done. It is for tests and
   * schedulers, in addition to the loop that runs in the background, or in its place.
   *
   * - Expired entries are given up first.
   * - Syncs that rest, back off, are parked, or are left to another process stay pending.
   *
   * @returns what was done; an account that has to sign in counts as one failure
   */
  async runOnce(): Promise<PendingSyncRetryResult> {
    return (await this.pending?.loop.runOnce()) ?? new PendingSyncRetryResult(0, 0, 0, 0);
  }

  async countForDid(did: string): Promise<number> {
    return (await this.pending?.store.countForDid(did)) ?? 0;
  }

  async hasForDid(did: string): Promise<boolean> {
    return (await this.pending?.store.hasForDid(did)) ?? false;
  }

  /** Null if there is none of this id. */
  async find(id: string): Promise<PendingSync | null> {
    return (await this.pending?.store.find(id)) ?? null;
  }

  /**
   * Removes one pending sync. Its record stays as it is.
   *
   * @returns false if there was none
   */
  async remove(id: string): Promise<boolean> {
    return (await this.pending?.store.remove(id)) ?? false;
  }

  /**
   * Removes all pending syncs of an account.
   *
   * @returns how many
   */
  async removeForDid(did: string): Promise<number> {
    return (await this.pending?.store.removeForDid(did)) ?? 0;
  }

  /**
   * Gives up pending syncs that are older than the ttl. Unpublishes never expire.
   *
   * @returns how many
   */
  async cleanup(): Promise<number> {
    return (await this.pending?.discards.cleanup()) ?? 0;
  }
}
