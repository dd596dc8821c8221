import { AuthenticationError } from '../errors/authentication.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { PendingSyncRetryResult } from '../model/pending-sync-retry-result.js';
import { within } from '../runtime/within.js';
import type { LaneWorker } from './lane.worker.js';
import { SWEPT, type LaneStore } from '../pending/lane.store.js';

export interface LaneLoopOptions {
  readonly store: LaneStore;
  readonly worker: LaneWorker;
  /** How many lanes are worked on at a time. */
  readonly concurrency: number;
  /** Milliseconds between two looks for ready lanes. A notification makes the loop look at once. */
  readonly interval: number;
  /** How long a shutdown waits for work under way, in ms. */
  readonly drainLimit: number;
  /** Gives up expired entries. */
  readonly cleanup: () => Promise<unknown>;
  /** Wakes the lanes whose wake-up is still delayed. */
  readonly wake: () => Promise<void>;
  readonly log: { log(message: string): void; error(message: string): void };
}

/** In ms. */
const TIDY_INTERVAL = 60_000;

/** Works on ready lanes for as long as the application runs. Its timers do not keep the process alive. */
export class LaneLoop {
  private readonly working = new Set<string>();
  /** Lanes that were ready at the last look. A worker that becomes free takes the next of these. */
  private ready: string[] = [];
  private timers: NodeJS.Timeout[] = [];
  private looking: Promise<void> | undefined;
  private tidying: Promise<void> | undefined;
  private mustLookAgain = false;
  private stopped = true;

  constructor(private readonly options: LaneLoopOptions) {}

  start(): void {
    this.stopped = false;
    this.timers = [
      setInterval(() => this.notify(), this.options.interval).unref(),
      setInterval(() => void this.tidy(), TIDY_INTERVAL).unref(),
    ];
    // Lanes that a dead process has left behind are found at once.
    this.notify();
    void this.tidy();
  }

  /**
   * Works off what is due now, and resolves when that is done. Each lane that is ready gets a turn, and
   * further turns while they get something done.
   *
   * @returns what these turns did; the loop may have done more meanwhile
   */
  async runOnce(): Promise<PendingSyncRetryResult> {
    const { store, worker, concurrency, wake } = this.options;
    const results: PendingSyncRetryResult[] = [];
    /** DIDs of lanes that had a turn and got nothing done: they wait for something, or fail. */
    const idle = new Set<string>();
    await this.tidy();
    await wake();
    await worker.drain();
    for (;;) {
      const ready = await store.readyLanes(concurrency + idle.size);
      const open = ready.filter((did) => !idle.has(did)).slice(0, concurrency);
      if (open.length === 0) break;
      const done = await Promise.all(open.map((did) => this.turn(did)));
      results.push(...done);
      done.forEach(({ succeeded, skipped }, index) => {
        if (succeeded + skipped === 0) idle.add(open[index]!);
      });
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

  /** Starts a look, and does not wait for it. */
  notify(): void {
    if (this.stopped) return;
    this.mustLookAgain = this.looking !== undefined;
    this.looking ??= this.look()
      .catch((error: unknown) =>
        this.options.log.error(`Looking for pending syncs failed: ${reasonOf(error)}`),
      )
      .finally(() => {
        this.looking = undefined;
        // The look may have missed a lane that was woken meanwhile.
        if (this.mustLookAgain) this.notify();
      });
  }

  /**
   * Begins no more work. Resolves when the work under way is done, or the limit is over; what is left stays
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
      if (!this.working.has(did)) void this.workOn(did);
    }
  }

  private get isFull(): boolean {
    return this.working.size >= this.options.concurrency;
  }

  private async workOn(did: string): Promise<void> {
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
      // The lane is parked until its account signs in. Listeners have heard of that already.
      if (!(error instanceof AuthenticationError))
        log.error(`Pending syncs of ${did} failed: ${reasonOf(error)}`);
    } finally {
      this.working.delete(did);
      this.begin();
      if (this.ready.length === 0) this.notify();
    }
  }
}
