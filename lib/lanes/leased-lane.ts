import { LeaseLostError } from '../errors/lease-lost.error.js';
import type { RepositoryStateStore } from '../pds/repository-state.store.js';
import { LeasedState } from './leased-state.store.js';
import { backedOff } from './next-attempt.js';
import type { Lane, LaneAfter, LaneNext, Lease } from '../pending/pending-entry.js';
import type { PendingSyncStore } from '../pending/pending-sync.store.js';

/** How long a lane is leased, in ms; prolonged before a request that could outlive it. */
const LEASE = 120_000;

/** A lane that this process has, from one try to the next. */
export class LeasedLane {
  /** Undefined: nobody knows how its work has ended. */
  private after: LaneAfter | undefined;
  private wakeAt: Date | undefined;

  private constructor(
    private readonly store: PendingSyncStore,
    private held: Lease,
    /** Transient failures in a row. */
    public failures: number,
    private retryAt: Date | null,
    /** What is remembered of its repository. */
    readonly state: LeasedState,
  ) {}

  /** null: somebody else works on the lane. */
  static async of(
    { did, failures, retryAt }: Lane,
    store: PendingSyncStore,
    state: RepositoryStateStore,
  ): Promise<LeasedLane | null> {
    const lease = await store.lease(did, LEASE);
    return lease && new LeasedLane(store, lease, failures, retryAt, new LeasedState(state, lease.token));
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

  /** Gives the lane back. */
  release(): Promise<void> {
    const { wakeAt } = this;
    return this.store.release(this.held, { ...(this.after ?? backedOff(this.failures)), wakeAt });
  }
}
