import { LeaseLostError } from '../errors/lease-lost.error.js';
import type { LeasedState } from './leased-state.store.js';
import { backedOff } from './next-attempt.js';
import type { Lane, LaneAfter, LaneNext, Lease } from '../pending/pending-entry.js';
import type { LaneStore } from '../pending/lane.store.js';

/** How long a lane is leased, in ms; prolonged before a request that could outlive it. */
export const LEASE = 120_000;

/** A lane that this process has, from one try to the next. */
export class LeasedLane {
  /** Undefined: nobody knows how its work has ended. */
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
   * No request is sent that could outlive the lease, and none once somebody else has it.
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

  /** Nothing was tried: a lane that is to be tried later still is. */
  skip(next: LaneNext): void {
    const later = next === 'asleep' && this.retryAt ? { retryAt: this.retryAt } : next;
    this.after = { next: later, failures: this.failures };
  }

  /** One of the entries that were tried is to be tried again by then. */
  wakes(at: Date | undefined): void {
    if (at && (!this.wakeAt || at < this.wakeAt)) this.wakeAt = at;
  }

  /** The settlement has given the lane back. */
  givenBack(): void {
    this.isGivenBack = true;
  }

  /** Gives the lane back, unless that is done. */
  async release(): Promise<void> {
    if (this.isGivenBack) return;
    const { wakeAt } = this;
    await this.store.release(this.held, { ...(this.after ?? backedOff(this.failures)), wakeAt });
  }
}
