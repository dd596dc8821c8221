import type { LaneTries } from './lane-tries.js';

export interface LaneWakerOptions {
  readonly tries: LaneTries;
  /** Some lanes are ready. */
  readonly poke: () => void;
  readonly log: { error(message: string): void };
}

/** In ms: saves that come one after the other wake their lanes once in a while, and the first of them at once. */
const INTERVAL = 50;

/** Wakes lanes for commits that wait for nobody. A wake that is lost with its process is made up for by the store's sweep. */
export class LaneWaker {
  private readonly dids = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private flushed = -Infinity;
  private waking: Promise<void> = Promise.resolve();

  constructor(private readonly options: LaneWakerOptions) {}

  wake(did: string): void {
    this.dids.add(did);
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
    const dids = [...this.dids];
    this.dids.clear();
    if (dids.length > 0) this.waking = this.waking.then(() => this.wakeAll(dids));
  }

  private async wakeAll(dids: readonly string[]): Promise<void> {
    const { tries, poke, log } = this.options;
    const { store } = tries.options;
    try {
      for (const did of dids) {
        await tries.isParked(await store.lane(did));
        await store.wake(did);
      }
    } catch (error) {
      log.error(`Waking the pending syncs of ${dids.length} accounts failed: ${String(error)}`);
    }
    poke();
  }
}
