import { atUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import type { Change } from '../sync/change.js';
import type { Results } from '../sync/inline.dispatcher.js';
import type { SyncRun } from '../sync/sync-engine.js';
import { PendingDispatcher, type PendingDispatcherOptions } from './pending.dispatcher.js';

export interface BackgroundDispatcherOptions extends PendingDispatcherOptions {
  /** Somebody has something to do; not waited for. */
  readonly poke: () => void;
}

/** Keeps what changed, and lets its caller go on; the lane loop does the rest. */
export class BackgroundDispatcher extends PendingDispatcher {
  private readonly poke: () => void;

  constructor(options: BackgroundDispatcherOptions) {
    super(options);
    this.poke = options.poke;
  }

  /** Whether nothing has to be done is for the worker to say: it may be writing just now. */
  protected override async quick(): Promise<null> {
    return null;
  }

  protected override async work(did: string, changes: readonly Change[], run: SyncRun): Promise<Results> {
    const tries = this.tries.on(run.runner);
    await tries.capture(did, changes);
    await tries.options.store.wake(did);
    this.poke();
    return new Map(
      changes.map(({ address }) => {
        const uri = atUri(address);
        return [uri, new SyncResult('pending', { reason: 'in the background', uri })];
      }),
    );
  }
}
