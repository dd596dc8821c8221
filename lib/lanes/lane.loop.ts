import { AuthenticationError } from '../errors/authentication.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { PendingSyncRetryResult } from '../model/pending-sync-retry-result.js';
import { within } from '../runtime/within.js';
import type { LaneWorker } from './lane.worker.js';
import { SWEPT, type LaneStore } from '../pending/lane.store.js';

export interface LaneLoopOptions {
  readonly store: LaneStore;
  readonly worker: LaneWorker;
  /** Lanes worked on at a time. */
  readonly concurrency: number;
  /** Milliseconds between two looks for lanes that are ready; waking it looks at once. */
  readonly interval: number;
  /** Milliseconds that a shutdown waits for the work under way. */
  readonly drainLimit: number;
  /** Gives up what has expired. */
  readonly cleanup: () => Promise<unknown>;
  /** Wakes the lanes of commits that wait for their turn to be woken. */
  readonly wake: () => Promise<void>;
  readonly log: { log(message: string): void; error(message: string): void };
}

/** In ms. */
const TIDY_INTERVAL = 60_000;

/**
 * Works on the lanes that are ready, for as long as the application runs. It keeps no process from exiting.
 */
export class LaneLoop {
  private readonly working = new Set<string>();
  /** Lanes that were ready at the last look, for the workers that become free. */
  private ready: string[] = [];
  private timers: NodeJS.Timeout[] = [];
  private looking: Promise<void> | undefined;
  private tidying: Promise<void> | undefined;
  private again = false;
  private stopped = true;

  constructor(private readonly options: LaneLoopOptions) {}

  start(): void {
    this.stopped = false;
    this.timers = [
      setInterval(() => this.notify(), this.options.interval).unref(),
      setInterval(() => void this.tidy(), TIDY_INTERVAL).unref(),
    ];
    // What a process left behind that died is found at once.
    this.notify();
    void this.tidy();
  }

  /**
   * Works off what is due now, and resolves when that is done. Each lane has its turn once, and again as long
   * as its turns get something done.
   */
  async runOnce(): Promise<PendingSyncRetryResult> {
    const { store, worker, concurrency, wake } = this.options;
    const results: PendingSyncRetryResult[] = [];
    await this.tidy();
    await wake();
    await worker.drain();
    for (;;) {
      const ready = await store.readyLanes(concurrency);
      const done = await Promise.all(ready.map((did) => this.turn(did)));
      results.push(...done);
      if (done.every((one) => one.isEmpty())) break;
    }
    await worker.drain();
    return PendingSyncRetryResult.sum(results);
  }

  private async turn(did: string): Promise<PendingSyncRetryResult> {
    try {
      return await this.options.worker.work(did, { backlog: false, turn: () => false });
    } catch (error) {
      return new PendingSyncRetryResult(1, 0, 1, 0, [reasonOf(error)]);
    }
  }

  /** Looks now, without being waited for. */
  notify(): void {
    if (this.stopped) return;
    this.again = this.looking !== undefined;
    this.looking ??= this.look()
      .catch((error: unknown) =>
        this.options.log.error(`Looking for pending syncs failed: ${reasonOf(error)}`),
      )
      .finally(() => {
        this.looking = undefined;
        // What was woken while it looked may not have been seen.
        if (this.again) this.notify();
      });
  }

  /**
   * Begins nothing new, and resolves when what was begun is done, or the limit is over; what is left stays
   * pending.
   */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timers.forEach(clearInterval);
    await Promise.all([this.looking, this.tidying]);
    await within(this.options.drainLimit, this.options.worker.drain());
  }

  private tidy(): Promise<void> {
    this.tidying ??= this.tidyUp().finally(() => (this.tidying = undefined));
    return this.tidying;
  }

  private async tidyUp(): Promise<void> {
    try {
      await this.options.cleanup();
      let woken: number;
      do {
        woken = await this.options.store.sweep();
        if (woken > 0) this.notify();
      } while (woken >= SWEPT && !this.stopped);
    } catch (error) {
      this.options.log.error(`Tidying up pending syncs failed: ${reasonOf(error)}`);
    }
  }

  private async look(): Promise<void> {
    this.ready = await this.options.store.readyLanes(this.options.concurrency);
    this.begin();
  }

  private begin(): void {
    while (!this.stopped && !this.isFull) {
      const did = this.ready.shift();
      if (did === undefined) return;
      if (!this.working.has(did)) void this.work(did);
    }
  }

  private get isFull(): boolean {
    return this.working.size >= this.options.concurrency;
  }

  private async work(did: string): Promise<void> {
    const { worker, log } = this.options;
    this.working.add(did);
    try {
      const result = await worker.work(did, { backlog: false, turn: () => this.stopped || this.isFull });
      if (!result.isEmpty()) {
        log.log(
          `Pending syncs of ${did}: ${result.succeeded} of ${result.total} done, ${result.failed} failed, ${result.skipped} given up.`,
        );
      }
    } catch (error) {
      // The lane is parked until its account signs in; whoever listens has been told.
      if (!(error instanceof AuthenticationError))
        log.error(`Pending syncs of ${did} failed: ${reasonOf(error)}`);
    } finally {
      this.working.delete(did);
      this.begin();
      if (this.ready.length === 0) this.notify();
    }
  }
}
