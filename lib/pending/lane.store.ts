import type { EnteredLane, Lane, LaneAfter, Lease, Park } from './pending-entry.js';

/** How many lanes one {@link LaneStore.sweep} wakes at most. */
export const SWEPT = 500;

export interface EnterOptions {
  /** How long the lane is leased. */
  readonly milliseconds: number;
  /** Also take a lane that is parked, or backs off. */
  readonly anyway?: boolean;
}

/** Port to the lanes, for the callers that decide which worker has a lane: one at a time, by lease. */
export interface LaneStore {
  /**
   * Leases the lane, and returns it with the pending entries at these at-uris.
   *
   * - No lease is given while another worker has the lane. A lease that has ended can be taken over, with a
   *   greater token.
   * - No lease is given for a lane that is parked or backs off, unless `anyway` is set.
   * - Race: of two workers that ask at once, one gets the lane.
   * - Race: the entries are not older than the last settlement of the lane's former holder. An entry that is
   *   captured meanwhile may be missing, or be returned with the version before.
   */
  enter(did: string, uris: readonly string[], options: EnterOptions): Promise<EnteredLane>;

  /**
   * Extends a lease.
   *
   * @returns null if the lease is lost
   */
  extend(lease: Lease, milliseconds: number): Promise<Lease | null>;

  /**
   * Gives the lane back. Does nothing if the lease is lost.
   *
   * - Race: a {@link wake} that came while the lane was leased is not lost; the lane is then ready at once.
   * - With `wakeAt`, a lane that would sleep becomes ready at that time. That is no backoff: a wake makes it
   *   ready before.
   */
  release(lease: Lease, after: LaneAfter): Promise<void>;

  /** The lane of a DID. An unknown DID has an idle lane. */
  lane(did: string): Promise<Lane>;

  /** Parks the lane: no entry is attempted until {@link unpark}. The entries stay as they are. */
  park(did: string, park: Park): Promise<void>;

  /**
   * To be called when the account has another session. Frees the lane, and the entries that needed a session.
   *
   * - With `retry` these entries are due automatically, and so is all backlog.
   * - Without `retry` what was parked becomes backlog, due for a retry by hand only: every entry captured so
   *   far if the lane is parked, and each entry that needed a session.
   * - An entry that also waits for something else then waits for that alone.
   * - Race: whether the lane is parked is decided in the same write.
   */
  unpark(did: string, options: { retry: boolean }): Promise<void>;

  /**
   * To be called when the account already had another session before it was parked. Frees the lane, and the
   * entries that needed a session.
   *
   * - No entry becomes backlog.
   * - Backlog stays backlog.
   */
  voidPark(did: string): Promise<void>;

  /**
   * To be called for changes that have found the lane free, or have freed it. Their entries are then no
   * backlog, although they were captured before the {@link unpark}.
   *
   * - Nothing else of the entries changes, except that an entry may get a greater version.
   */
  renew(did: string, uris: readonly string[]): Promise<void>;

  /**
   * Tells that the lane has new work, and makes it ready now.
   *
   * - A lane that is parked or backs off does not become ready.
   * - It is called after the commit, never in the entity's transaction.
   * - A lane that no caller wakes stays asleep, whatever it holds.
   *
   * @param options.backfill all of the new work is backfill: its turn comes after every other account's, and
   *   not before the lane's backfill may go on
   */
  wake(did: string, options?: { readonly backfill: boolean }): Promise<void>;

  /**
   * DIDs of lanes that are ready: woken, or past their `retryAt`, or unparked with `retry`. Empty if there
   * are none.
   *
   * - A lane that is parked, leased or asleep is not ready.
   * - The lane that has waited longest comes first. Lanes that have only backfill come last.
   */
  readyLanes(limit: number): Promise<string[]>;

  /**
   * Wakes lanes that sleep although they hold an entry that was never attempted: a process died before its
   * {@link wake}.
   *
   * @returns how many; if it is {@link SWEPT}, there may be more
   */
  sweep(): Promise<number>;
}
