import type { EnteredLane, Lane, LaneAfter, Lease, Park } from './pending-entry.js';

/** How many lanes one {@link LaneStore.sweep} wakes at most. */
export const SWEPT = 500;

export interface EnterOptions {
  /** How long the lane is leased. */
  readonly milliseconds: number;
  /** Also if the lane is parked, or backs off. */
  readonly anyway?: boolean;
}

/** Port to the lanes, for who works on them: one worker at a time, by lease. */
export interface LaneStore {
  /**
   * Takes the lane, and gives it with what is pending at these at-uris.
   *
   * - No lease is given while another worker has the lane; a lease that has ended can be taken, with a
   *   greater token.
   * - No lease is given of a lane that is parked, or that backs off, unless the worker comes `anyway`.
   * - Race: of two workers that ask at once one gets the lane.
   * - Race: the entries are not older than the last settlement of the lane's former holder. What is captured
   *   meanwhile may be missing, or be given with the version before.
   */
  enter(did: string, uris: readonly string[], options: EnterOptions): Promise<EnteredLane>;

  /** Prolongs a lease; null if it is no longer ours. */
  extend(lease: Lease, milliseconds: number): Promise<Lease | null>;

  /**
   * Gives the lane back; nothing happens if it is no longer ours.
   *
   * - Race: a {@link wake} that came while the lane was leased is not lost; the lane is ready at once then.
   * - With `wakeAt` a lane that would sleep becomes ready then. It backs off from nothing, and a wake makes
   *   it ready before.
   */
  release(lease: Lease, after: LaneAfter): Promise<void>;

  /** The lane of a DID; of an unknown one an idle lane. */
  lane(did: string): Promise<Lane>;

  /** Nothing of the lane is tried until {@link unpark}. Its entries stay as they are. */
  park(did: string, park: Park): Promise<void>;

  /**
   * The account has another session: the lane and the entries that needed one are free.
   *
   * - With `retry` they are due by themselves, and so is all backlog.
   * - Otherwise what was parked is backlog, due for a retry by hand only: all that was captured up to now if
   *   the lane is parked, and each entry that needed a session.
   * - What waits for something else goes on waiting for that alone.
   * - Race: whether the lane is parked is decided with the same write.
   */
  unpark(did: string, options: { retry: boolean }): Promise<void>;

  /**
   * The account had another session before it was parked: the lane and the entries that needed one are free.
   * Nothing becomes backlog, and what is backlog stays.
   */
  voidPark(did: string): Promise<void>;

  /**
   * The callers of these changes have found the lane free, or freed it: the entries are no backlog, though
   * they were captured before the {@link unpark}. Nothing else of them changes, save that an entry may get a
   * greater version.
   */
  renew(did: string, uris: readonly string[]): Promise<void>;

  /**
   * The lane has new work: makes it ready now.
   *
   * - A lane that is parked or backs off is not made ready.
   * - It is called after the commit, never in the entity's transaction.
   * - A lane that no caller wakes stays asleep, whatever it holds.
   *
   * @param options.backfill all of the new work is: its turn comes after every other account's, and when its
   *   own backfill may go on
   */
  wake(did: string, options?: { readonly backfill: boolean }): Promise<void>;

  /**
   * DIDs of lanes that are ready: woken, or past their `retryAt`, or unparked with `retry`. Empty: none.
   *
   * - A lane that is parked, leased or asleep is not ready.
   * - The lane that waits longest comes first; those that have only backfill come last.
   */
  readyLanes(limit: number): Promise<string[]>;

  /**
   * Wakes lanes that sleep although they hold something that was never tried: a process died before its
   * {@link wake}. Returns how many: with {@link SWEPT} there may be more.
   */
  sweep(): Promise<number>;
}
