import { atUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import type { Change, Resolved } from '../sync/change.js';
import { mergedByAddress } from '../sync/merged-changes.js';
import type { SyncRun } from '../sync/sync-run.js';
import { toPending } from '../pending/change-entries.js';
import type { LaneWaker } from './lane.waker.js';
import { PendingDispatcher, type PendingDispatcherOptions } from './pending.dispatcher.js';

export interface BackgroundDispatcherOptions extends PendingDispatcherOptions {
  readonly waker: LaneWaker;
}

/** Keeps what changed, and lets its caller go on; the lane loop does the rest. */
export class BackgroundDispatcher extends PendingDispatcher {
  private readonly waker: LaneWaker;

  constructor(options: BackgroundDispatcherOptions) {
    super(options);
    this.waker = options.waker;
  }

  override async drain(): Promise<void> {
    await super.drain();
    await this.waker.drain();
  }

  protected override completes({ changes }: Resolved): boolean {
    this.wake(changes);
    return true;
  }

  /** Nobody waits for the lanes here, so there is no turn to wait for and no deadline. */
  protected override async deliver(changes: readonly Change[], run: SyncRun): Promise<SyncResult[]> {
    const open = changes.filter(({ settled }) => !settled);
    const { store } = this.attempts.options;
    // The lane loop has stopped, and a cache in memory goes with this process.
    if (this.isStopped && !store.durable && !store.outlivesProcess) return super.deliver(changes, run);
    try {
      if (!store.durable) await store.capture(mergedByAddress(open).map(toPending));
    } catch (error) {
      for (const did of new Set(open.map(({ address }) => address.did))) this.logStoreError(did, error);
      // What cannot be kept for the background is tried now.
      return super.deliver(changes, run);
    }
    this.wake(open);
    const reason = 'in the background';
    return changes.map(
      ({ settled, address }) => settled ?? new SyncResult('pending', { reason, uri: atUri(address) }),
    );
  }

  private wake(changes: readonly Change[]): void {
    for (const { address, settled } of changes) if (!settled) this.waker.wake(address);
  }
}
