import type { QueryRunner } from 'typeorm';
import { parseAtUri } from '../model/address.js';
import type { PendingSync } from '../model/pending-sync.js';
import type { SqlScript, Statement } from '../database/sql-script.js';
import { NO_DEAD_LETTERS, type DeadLetterStore } from './dead-letter.js';
import type { PendingView, PendingStats, WrittenAddress } from './pending-views.js';
import type {
  Discarded,
  EnteredLane,
  FailedAttempt,
  Lane,
  LaneAfter,
  Lease,
  OfferedChange,
  Park,
  PendingEntry,
  SettledEntry,
  Settlement,
} from './pending-entry.js';

/** How many lanes one {@link PendingSyncStore.sweep} wakes at most. */
export const SWEPT = 500;

/**
 * Where pending syncs are kept: at most one per address. This port is the specification; the contract suite
 * of `nestjs-parity/testing` tests it, and every store passes it.
 */
export abstract class PendingSyncStore {
  /**
   * Whether {@link capture} can join the entity's own transaction. If so every change is captured before its
   * commit, and what is settled stays as a clean row; if not, a change is captured when it has failed.
   */
  abstract readonly durable: boolean;

  /**
   * Of a store that is not durable: whether what it keeps is there after the end of the process. A change is then
   * captured before its first request is sent, because the request may arrive though the process dies.
   */
  readonly outlivesProcess: boolean = false;

  /**
   * Keeps changes. Rule: one entry per address. A second capture raises its version, takes over trigger,
   * operation and claimant, and keeps its id, place and createdAt. It has all its attempts, since what failed
   * was another record, unless it is `backfill`: that takes over nothing from what is none, and the entry is
   * backfill if both are; what was asked for by hand of the same entity stays as `keptTrigger` says, with its
   * operation; a `givenUp` change of another entity leaves the claimant as it is, within one call too. What
   * is captured is no backlog and waits for no session, whatever it waited for before. An entry that was
   * discarded, settled or removed begins anew, with a version that is greater still. Race: two captures of
   * one DID at once lose neither.
   *
   * A change with `unlessSettled` may be left alone, and is then returned by its at-uri: if nothing is
   * pending or dead at the address, and the last {@link settle} there was of the same `cid` for the same
   * claimant, and not `asIs`; or if it has no `cid`, and nothing was ever kept there. In doubt it is kept
   * like any other, as what was removed or discarded is: a request for it may still be under way. Race: what
   * is left alone stays as it is until the transaction of `runner` ends.
   *
   * @param runner the entity's open transaction (durable stores): one statement in it, whatever the number of
   *   changes; it touches no lane beyond making a missing one. An error has to roll that transaction back.
   */
  abstract capture(changes: readonly OfferedChange[], runner?: QueryRunner): Promise<ReadonlySet<string>>;

  /**
   * The entries of a lane that can be tried: backfill last, and not before the `backfillAt` of the last
   * {@link release}, otherwise the oldest first. Left out: those that wait for another session, and unless
   * `backlog` is set the backlog that {@link unpark} left, and records that failed and rest (`restAfter`):
   * until they are captured again, or the account signs in. Empty: nothing to do.
   */
  abstract due(did: string, options: { limit: number; backlog: boolean }): Promise<PendingEntry[]>;

  /**
   * This process does not know the class whose changes are kept under this name: its entries are left to
   * other processes from now on, save those of rows that are gone. {@link due} and {@link readyLanes} leave
   * them out, and a lane that holds one which is due is never put to sleep for them.
   *
   * @returns false if they are left already
   */
  abstract leave(entityName: string): boolean;

  /** The entries at these at-uris, in any order, whatever they wait for; those without one are left out. */
  abstract at(did: string, uris: readonly string[]): Promise<PendingEntry[]>;

  /**
   * The addresses are as they should be, as of the versions that were read. Race: an entry whose version has
   * moved meanwhile stays. Refused (false) if the lease is no longer ours.
   */
  abstract settle(lease: Lease, done: readonly SettledEntry[]): Promise<boolean>;

  /**
   * {@link settle} in one transaction with other `work` in the database of the entities, which comes first;
   * with what is remembered of the repository, too, if that is kept there. All or nothing. Only for a durable
   * store.
   *
   * @param along what to settle, as the result of the work tells
   * @throws LeaseLostError, and nothing is done, if the lease is no longer ours
   */
  settleWith?<T>(lease: Lease, work: SqlScript<T>, along: (result: T) => Settlement): Promise<T>;

  /**
   * {@link settleWith} where the work is the update of one row, in a single statement that waits for no lock on
   * that row. It changes all of it or nothing.
   *
   * @param row an update that ends with its condition
   * @returns false, and nothing is changed: the lease is no longer ours, or the row is not as the update takes
   *   it, or another transaction holds it, or the database refuses the statement or has no such statement;
   *   {@link settleWith} finds out which
   */
  settleRow(_lease: Lease, _row: Statement, _along: Settlement): Promise<boolean> {
    return Promise.resolve(false);
  }

  /**
   * Tries failed: remembers the error, and the attempt where it counts. Race: an entry whose version has
   * moved keeps its attempts.
   */
  abstract failed(lease: Lease, tries: readonly FailedAttempt[]): Promise<boolean>;

  /**
   * Gives entries up, as of a version. A durable store keeps them as dead letters. Returns what was given up:
   * an entry whose version has moved, or that is gone, is not.
   */
  abstract discard(
    lease: Lease,
    given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
  ): Promise<Discarded[]>;

  /**
   * Takes the lane for `milliseconds`, and gives it with what is pending at these at-uris.
   *
   * - No lease is given while another worker has the lane; a lease that has ended can be taken, with a greater
   *   token.
   * - No lease is given of a lane that is parked, or that backs off, unless the worker comes `anyway`.
   * - Race: of two workers that ask at once one gets the lane.
   * - Race: the entries are not older than the last settlement of the lane's former holder. What is captured
   *   meanwhile may be missing, or be given with the version before.
   */
  abstract enter(
    did: string,
    uris: readonly string[],
    options: { readonly milliseconds: number; readonly anyway?: boolean },
  ): Promise<EnteredLane>;

  /** The lease alone, of a lane that may be parked or back off; null: another worker has it. */
  async lease(did: string, milliseconds: number): Promise<Lease | null> {
    return (await this.enter(did, [], { milliseconds, anyway: true })).lease;
  }

  /** Prolongs a lease; null if it is no longer ours. */
  abstract extend(lease: Lease, milliseconds: number): Promise<Lease | null>;

  /**
   * Gives the lane back; nothing happens if it is no longer ours. Race: a {@link wake} that came while the
   * lane was leased is not lost; the lane is ready at once then. With `wakeAt` a lane that would sleep
   * becomes ready then; it backs off from nothing, and a wake makes it ready before.
   */
  abstract release(lease: Lease, after: LaneAfter): Promise<void>;

  /** The lane of a DID; of an unknown one an idle lane. */
  abstract lane(did: string): Promise<Lane>;

  /** Nothing of the lane is tried until {@link unpark}. ManualTouch no entry. */
  abstract park(did: string, park: Park): Promise<void>;

  /**
   * The account has another session: the lane and the entries that needed one are free. `retry` says whether
   * they are due by themselves, as all backlog is then. Otherwise what was parked is backlog, due only for
   * {@link due} with `backlog`: all that was captured up to now if the lane is parked, and each entry that
   * needed a session. What waits for something else goes on waiting for that alone. Race: whether the lane is
   * parked is decided with the same write.
   */
  abstract unpark(did: string, options: { retry: boolean }): Promise<void>;

  /**
   * The account had another session before it was parked: the lane and the entries that needed one are free.
   * Nothing becomes backlog, and what is backlog stays.
   */
  abstract voidPark(did: string): Promise<void>;

  /**
   * The callers of these changes have found the lane free, or freed it: the entries are no backlog, though
   * they were captured before the {@link unpark}. Nothing else changes of them.
   */
  abstract renew(did: string, uris: readonly string[]): Promise<void>;

  /**
   * The lane has new work: makes it ready now, unless it is parked or backed off. After the commit, never in
   * the entity's transaction. A lane that nobody wakes stays asleep, whatever it holds.
   *
   * @param options.backfill all of the new work is: its turn comes after every other account's, and when its
   *   own backfill may go on
   */
  abstract wake(did: string, options?: { readonly backfill: boolean }): Promise<void>;

  /**
   * DIDs of lanes that are ready: woken, or past their `retryAt`, or unparked with `retry`; not parked, not
   * leased, not asleep. Those that have only backfill come last, otherwise the one that waits longest comes
   * first. Empty: none.
   */
  abstract readyLanes(limit: number): Promise<string[]>;

  /** The pending syncs of an account, oldest first; empty if there are none. */
  abstract forDid(did: string): Promise<PendingSync[]>;

  abstract countForDid(did: string): Promise<number>;

  abstract hasForDid(did: string): Promise<boolean>;

  /** null if there is none of this id. */
  abstract find(id: string): Promise<PendingSync | null>;

  /** Removes one, without a dead letter. False if there was none. */
  abstract remove(id: string): Promise<boolean>;

  /** Removes all of an account, without dead letters. Returns how many. */
  abstract removeForDid(did: string): Promise<number>;

  /**
   * Gives up, as {@link discard} does, what is older than the ttl, and of the classes that are {@link leave |
   * left} what was due for 7 days, and which no process has tried; unpublishes never expire. Bounded per
   * call; empty: nothing more to do.
   */
  abstract cleanup(): Promise<Discarded[]>;

  /**
   * Wakes lanes that sleep although they hold something that was never tried: a process died before its
   * {@link wake}. Returns how many: with {@link SWEPT} there may be more.
   */
  sweep(): Promise<number> {
    return Promise.resolve(0);
  }

  /** What was given up. A store that forgets it has none, ever. */
  get deadLetters(): DeadLetterStore {
    return NO_DEAD_LETTERS;
  }

  /** What is kept of an at-uri: its pending sync, or else its dead letter. null: nothing. */
  async inspect(uri: string): Promise<PendingView | null> {
    const did = parseAtUri(uri)?.did;
    const [entry] = did === undefined ? [] : await this.at(did, [uri]);
    if (!entry) return null;
    const { sync } = entry;
    return { sync, tried: sync.lastError !== null, needsSession: false, backlog: false, dead: null };
  }

  /**
   * Of all accounts; of those that this process knows, where the store cannot count. null: it does not know.
   */
  stats(): Promise<PendingStats | null> {
    return Promise.resolve(null);
  }

  /**
   * The next addresses, in an order of their own, of a class that have a record and nothing pending, save
   * those whose record is kept on purpose. Empty: no more, or a store that forgets what is done.
   *
   * @param after the last one of the page before; null: the first page
   */
  written(
    _entityName: string,
    _page: { readonly after: string | null; readonly limit: number },
  ): Promise<WrittenAddress[]> {
    return Promise.resolve([]);
  }

  /**
   * This store on the caller's connection, after its commit and for as long as `own` gives it: with a pool of
   * one there is no second. A store on connections of its own, or on none, is the same store.
   */
  on(_own: () => QueryRunner | undefined): PendingSyncStore {
    return this;
  }
}
