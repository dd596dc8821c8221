import type { QueryRunner } from 'typeorm';
import { SyncResult } from '../model/sync-result.js';
import type { Capture } from './capture.js';
import type { Change, EntityWrite, Resolved } from './change.js';
import type { CommittedBatch } from './committed-batch.js';
import type { Delivery } from './delivery.js';
import type { FailureReports } from './failure-reports.js';
import type { SettledVersions } from './settled-versions.js';
import { SyncDispatcher, type Dispatched } from './sync-dispatcher.js';
import type { SyncRun } from './sync-run.js';

export interface DispatcherOptions {
  readonly capture: Capture;
  readonly delivery: Delivery;
  readonly versions: SettledVersions;
  readonly reports: FailureReports;
  readonly log: { debug(message: string): void };
}

/** Composed of two strategies: one says when changes are captured, the other how they are delivered. */
export class Dispatcher extends SyncDispatcher {
  constructor(private readonly options: DispatcherOptions) {
    super();
  }

  override get version(): number {
    return this.options.versions.now;
  }

  override beforeCommit(writes: readonly EntityWrite[], runner: QueryRunner): Promise<Resolved | undefined> {
    return this.options.capture.inTransaction(writes, runner);
  }

  override async afterCommit(batch: CommittedBatch, run: SyncRun = {}): Promise<Dispatched[]> {
    if (batch.isSettled) return [];
    const { capture, delivery, reports, log } = this.options;
    const since = this.version;
    const { changes, unresolved, unowned } = await capture.committed(batch, run);
    const dispatched: Dispatched[] = [];
    const isKept = unresolved.length > 0 && (await capture.keepUnresolved(unresolved));
    for (const { write, error } of unresolved) {
      reports.failed({ ...write, operation: 'publish' }, undefined, error, isKept, write.instance);
      const result = new SyncResult(isKept ? 'pending' : 'failed', { error });
      dispatched.push({ result, origin: write.origin });
    }
    for (const { entity, entityId } of unowned)
      log.debug(`${entity.name} ${entityId} has no DID, so there is nothing to sync.`);
    const results = await delivery.deliver(changes, run, since);
    changes.forEach(({ origin }, index) => {
      const result = results[index];
      if (result) dispatched.push({ result, origin });
    });
    return dispatched;
  }

  override async dispatch(changes: readonly Change[]): Promise<SyncResult[]> {
    const { capture, delivery } = this.options;
    if (changes.every(({ trigger }) => trigger === 'unpublish') && (await delivery.areGone(changes)))
      return changes.map(() => new SyncResult('unchanged'));
    const since = this.version;
    await capture.byHand(changes);
    return delivery.deliver(changes, {}, since);
  }

  override stop(): void {
    this.options.delivery.stop();
  }

  override drain(): Promise<void> {
    return this.options.delivery.drain();
  }
}
