import { atUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import type { Change, Resolved } from '../sync/change.js';
import { mergedByAddress } from '../sync/merged-changes.js';
import type { SyncRun } from '../sync/sync-run.js';
import { toPending } from './entry-change.js';
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
    const { store } = this.tries.options;
    // The lane loop has stopped, and a cache goes with this process.
    if (this.isStopped && !store.durable) return super.deliver(changes, run);
    let failure: SyncResult | undefined;
    try {
      if (!store.durable) await store.capture(mergedByAddress(open).map(toPending));
      this.wake(open);
    } catch (error) {
      failure = this.storeFailed(open, error as Error);
    }
    const pending = ({ address }: Change): SyncResult =>
      failure ?? new SyncResult('pending', { reason: 'in the background', uri: atUri(address) });
    return changes.map((change) => change.settled ?? pending(change));
  }

  private wake(changes: readonly Change[]): void {
    for (const { address, settled } of changes) if (!settled) this.waker.wake(address);
  }
}
