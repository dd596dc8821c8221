import type { Address } from '../model/address.js';
import type { LaneStore } from '../pending/lane.store.js';
import type { LaneParks } from './lane-parks.js';

export interface LaneWakerOptions {
  readonly store: LaneStore;
  readonly parks: LaneParks;
  /** Called when lanes have become ready. */
  readonly notify: () => void;
  readonly log: { error(message: string): void };
}

/**
 * In ms. Saves that follow each other closely wake their lanes together, this often at most. The first wakes
 * its lane at once.
 */
const INTERVAL = 50;

/**
 * Wakes lanes for commits whose callers do not wait. If the process dies before a wake-up, the store's sweep
 * wakes the lane.
 */
export class LaneWaker {
  /** By DID, the addresses of the changes that wake it. */
  private changed = new Map<string, Address[]>();
  private timer: NodeJS.Timeout | undefined;
  private flushed = -Infinity;
  private waking: Promise<void> = Promise.resolve();

  constructor(private readonly options: LaneWakerOptions) {}

  wake(address: Address): void {
    const its = this.changed.get(address.did);
    if (its) its.push(address);
    else this.changed.set(address.did, [address]);
    const delay = Math.max(0, this.flushed + INTERVAL - performance.now());
    this.timer ??= setTimeout(() => this.flush(), delay).unref();
  }

  /** Resolves when every lane is awake. */
  async drain(): Promise<void> {
    this.flush();
    await this.waking;
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.flushed = performance.now();
    const { changed } = this;
    this.changed = new Map();
    if (changed.size > 0) this.waking = this.waking.then(() => this.wakeAll(changed));
  }

  private async wakeAll(changed: ReadonlyMap<string, readonly Address[]>): Promise<void> {
    const { store, parks, notify, log } = this.options;
    try {
      for (const [did, addresses] of changed) {
        await parks.of(await store.lane(did), addresses);
        await store.wake(did);
      }
    } catch (error) {
      log.error(`Waking the pending syncs of ${changed.size} accounts failed: ${String(error)}`);
    }
    notify();
  }
}
