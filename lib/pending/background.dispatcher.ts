import { atUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import type { Change } from '../sync/change.js';
import type { Results } from '../sync/inline.dispatcher.js';
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

  /** Whether nothing has to be done is for the worker to say: it may be writing just now. */
  protected override async quick(): Promise<null> {
    return null;
  }

  protected override async work(did: string, changes: readonly Change[]): Promise<Results> {
    const { store } = this.tries.options;
    if (!store.durable) await store.capture(changes.map(toPending));
    this.waker.wake(did);
    return new Map(
      changes.map(({ address }) => {
        const uri = atUri(address);
        return [uri, new SyncResult('pending', { reason: 'in the background', uri })];
      }),
    );
  }
}
