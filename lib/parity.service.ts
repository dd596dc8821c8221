import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ManualTouch } from './changes/manual-touch.js';
import { unitOfWork } from './changes/unit-of-work.js';
import { SessionAuthenticated } from './events/session-authenticated.event.js';
import type { Conflicts } from './inbound/conflicts.service.js';
import type { FetchResult } from './inbound/fetcher.js';
import type { ImportOptions, ImportReport } from './inbound/import/import-report.js';
import type { InboundDeadLetters } from './inbound/inbound-dead-letters.js';
import { SignInListener } from './inbound/sign-in.listener.js';
import { InboundService } from './inbound/inbound.service.js';
import type { Repository } from './pending/repository.store.js';
import type { PendingSyncRetryResult } from './model/pending-sync-retry-result.js';
import type { SyncResult } from './model/sync-result.js';
import { DeadLettersService } from './maintenance/dead-letters.service.js';
import type { PendingStats } from './pending/pending-views.js';
import { PendingSyncManager } from './maintenance/pending-sync.manager.js';
import type { ReconcileOptions, ReconcileResult } from './maintenance/reconcile/reconciliation.js';
import { Reconciler } from './maintenance/reconcile/reconciler.js';
import { SessionListener } from './lanes/session.listener.js';
import type { EntityStatus } from './maintenance/status/entity-status.js';
import { StatusReader } from './maintenance/status/status.reader.js';
import type { EntityClass } from './records/record-mapper.js';
import { SyncService } from './sync/sync.service.js';

/** For controllers and services: publishing by hand, and everything about pending syncs. */
@Injectable()
export class ParityService {
  constructor(
    private readonly sync: SyncService,
    private readonly pending: PendingSyncManager,
    private readonly sessions: SessionListener,
    private readonly touches: ManualTouch,
    private readonly reconciler: Reconciler,
    private readonly status: StatusReader,
    /**
     * Pending syncs that were given up: `list`, `requeue`, `purge`. With database storage only; otherwise
     * there are never any.
     */
    readonly deadLetters: DeadLettersService,
    private readonly inbound: InboundService,
    private readonly signIns: SignInListener,
  ) {}

  /**
   * Conflicts that wait for a decision: `list`, `resolve`, `dismiss`.
   *
   * @throws ParityOptionsError unless changes are kept in the database
   */
  get conflicts(): Conflicts {
    return this.inbound.conflicts;
  }

  /**
   * Records that were not taken over: `list`, `retry`.
   *
   * @throws ParityOptionsError unless changes are kept in the database
   */
  get inboundDeadLetters(): InboundDeadLetters {
    return this.inbound.deadLetters;
  }

  /** See {@link Importer.import}. */
  import(did: string, options?: ImportOptions): Promise<ImportReport> {
    return this.inbound.import(did, options);
  }

  /** What is known of an account and of its last import; null for nothing. */
  importStatus(did: string): Promise<Repository | null> {
    return this.inbound.importStatus(did);
  }

  /** Makes the next import of an account look at every record again. */
  resetImport(did: string): Promise<void> {
    return this.inbound.resetImport(did);
  }

  /** See {@link Fetcher.fetch}. */
  fetch(uri: string): Promise<FetchResult> {
    return this.inbound.fetch(uri);
  }

  /** See {@link SyncService.publish}. */
  publish(entity: object): Promise<SyncResult> {
    return this.sync.publish(entity);
  }

  /** See {@link SyncService.publishAs}. */
  publishAs(did: string, entity: object): Promise<SyncResult> {
    return this.sync.publishAs(did, entity);
  }

  /** See {@link SyncService.republish}. */
  republish(entity: object): Promise<SyncResult> {
    return this.sync.republish(entity);
  }

  /** See {@link SyncService.unpublish}. */
  unpublish(entity: object): Promise<SyncResult> {
    return this.sync.unpublish(entity);
  }

  /** See {@link ManualTouch.touch}. */
  touch(entity: object, manager?: EntityManager): Promise<SyncResult> {
    return this.touches.touch(entity, manager);
  }

  /** See {@link SyncService.toRecord}. */
  toRecord(entity: object): Promise<Record<string, unknown> | null> {
    return this.sync.toRecord(entity);
  }

  /** See {@link Reconciler.reconcile}. */
  reconcile(entity: EntityClass, options?: ReconcileOptions): Promise<ReconcileResult> {
    return this.reconciler.reconcile(entity, options);
  }

  /** See {@link StatusReader.of}. */
  statusOf(entity: object): Promise<EntityStatus> {
    return this.status.of(entity);
  }

  /**
   * Counts of pending syncs over all accounts: of the whole database, or with storage 'cache' of this
   * process. Zeros while pending syncs are disabled.
   */
  stats(): Promise<PendingStats> {
    return this.status.stats();
  }

  /** See {@link unitOfWork}. */
  unitOfWork<T>(fn: () => T | Promise<T>): Promise<T> {
    return unitOfWork(fn);
  }

  /** Whether an account has syncs that are not done yet. */
  hasPendingSyncs(did: string): Promise<boolean> {
    return this.pending.hasForDid(did);
  }

  countPendingSyncs(did: string): Promise<number> {
    return this.pending.countForDid(did);
  }

  /** See {@link PendingSyncManager.retryForDid}. */
  retryPendingSyncs(did: string): Promise<PendingSyncRetryResult> {
    return this.pending.retryForDid(did);
  }

  /** See {@link PendingSyncManager.runOnce}. */
  runOnce(): Promise<PendingSyncRetryResult> {
    return this.pending.runOnce();
  }

  /** See {@link PendingSyncManager.cleanup}. */
  cleanupPendingSyncs(): Promise<number> {
    return this.pending.cleanup();
  }

  /**
   * For session providers: to be called when the account has a new session. Frees its lane; with `autoRetry`
   * its pending syncs are retried. Where records are followed, its records are imported. Never throws.
   */
  async sessionAvailable(did: string): Promise<void> {
    const event = new SessionAuthenticated(did);
    await this.sessions.onSessionAuthenticated(event);
    await this.signIns.onSessionAuthenticated(event);
    await this.signIns.imported(did);
  }
}
