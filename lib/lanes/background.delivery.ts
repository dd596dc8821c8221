import type { SyncResult } from '../model/sync-result.js';
import { toPending } from '../pending/change-entries.js';
import type { PendingChangeStore } from '../pending/pending-change.store.js';
import { pending } from '../sync/account.delivery.js';
import type { Change } from '../sync/change.js';
import type { Delivery } from '../sync/delivery.js';
import { mergedByAddress } from '../sync/merged-changes.js';
import type { SyncRun } from '../sync/sync-run.js';
import type { LaneWaker } from './lane.waker.js';
import type { StoreFailures } from './store-failures.js';

export interface BackgroundDeliveryOptions {
  readonly store: PendingChangeStore;
  readonly waker: LaneWaker;
  /** Delivers what cannot be left to the lane loop. */
  readonly direct: Delivery;
  readonly failures: StoreFailures;
}

/** Keeps changes and lets their caller go on; the lane loop does the rest. */
export class BackgroundDelivery implements Delivery {
  private isStopped = false;

  constructor(private readonly options: BackgroundDeliveryOptions) {}

  async deliver(changes: readonly Change[], run: SyncRun, since: number): Promise<SyncResult[]> {
    const { store, waker, direct, failures } = this.options;
    const open = changes.filter(({ settled }) => !settled);
    // The lane loop has stopped, and a cache in memory ends with this process: a kept change would be lost.
    if (this.isStopped && !store.durable && !store.outlivesProcess)
      return direct.deliver(changes, run, since);
    try {
      if (!store.durable) await store.capture(mergedByAddress(open).map(toPending));
    } catch (error) {
      for (const did of new Set(open.map(({ address }) => address.did))) failures.log(did, error);
      return direct.deliver(changes, run, since);
    }
    for (const { address } of open) waker.wake(address);
    return pending(changes, 'in the background');
  }

  areGone(changes: readonly Change[]): Promise<boolean> {
    return this.options.direct.areGone(changes);
  }

  stop(): void {
    this.isStopped = true;
    this.options.direct.stop();
  }

  async drain(): Promise<void> {
    await this.options.direct.drain();
    await this.options.waker.drain();
  }
}
