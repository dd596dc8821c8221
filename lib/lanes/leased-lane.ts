import { LeaseLostError } from '../errors/lease-lost.error.js';
import type { LeasedState } from './leased-state.store.js';
import { backedOff } from './next-attempt.js';
import type { Lane, LaneAfter, LaneNext, Lease } from '../pending/pending-entry.js';
import type { LaneStore } from '../pending/lane.store.js';

/** How long a lane is leased, in ms. The lease is extended before a request that could outlive it. */
export const LEASE = 120_000;

/** A lane that this process has leased, from one attempt to the next. */
export class LeasedLane {
  /** Undefined while it is not known how the work has ended. Released like that, the lane backs off. */
  private after: LaneAfter | undefined;
  private wakeAt: Date | undefined;
  private retryAt: Date | null;
  private isGivenBack = false;
  /** Transient failures in a row. */
  failures: number;

  constructor(
    private readonly store: LaneStore,
    private held: Lease,
    { failures, retryAt }: Pick<Lane, 'failures' | 'retryAt'>,
    /** What is remembered of its repository. */
    readonly state: LeasedState,
  ) {
    this.failures = failures;
    this.retryAt = retryAt;
  }

  get lease(): Lease {
    return this.held;
  }

  /**
   * To be awaited before a request, so that none is sent that could outlive the lease, and none once another
   * worker has the lane.
   *
   * @throws LeaseLostError
   */
  readonly permit = async (milliseconds: number = LEASE / 2): Promise<void> => {
    if (this.held.endsAt - performance.now() >= milliseconds) return;
    const longer = await this.store.extend(this.held, Math.max(LEASE, 2 * milliseconds));
    if (!longer) throw new LeaseLostError(this.held.did);
    this.held = longer;
  };

  begin(): void {
    this.after = undefined;
  }

  finish(after: LaneAfter): void {
    this.after = after;
    this.wakes(after.wakeAt);
    this.failures = after.failures;
    this.retryAt = null;
  }

  /** Nothing was attempted. A lane that was waiting for its next attempt still waits. */
  skip(next: LaneNext): void {
    const later = next === 'asleep' && this.retryAt ? { retryAt: this.retryAt } : next;
    this.after = { next: later, failures: this.failures };
  }

  /** One of the attempted entries is to be attempted again by then. */
  wakes(at: Date | undefined): void {
    if (at && (!this.wakeAt || at < this.wakeAt)) this.wakeAt = at;
  }

  /** The settlement has given the lane back. */
  givenBack(): void {
    this.isGivenBack = true;
  }

  /** Gives the lane back, unless the settlement has done that. */
  async release(): Promise<void> {
    if (this.isGivenBack) return;
    const { wakeAt } = this;
    await this.store.release(this.held, { ...(this.after ?? backedOff(this.failures)), wakeAt });
  }
}
