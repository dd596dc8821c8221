import type { QueryRunner } from 'typeorm';
import type { SqlScript, Statement } from '../database/sql-script.js';
import type {
  Discarded,
  FailedAttempt,
  Lease,
  OfferedChange,
  PendingEntry,
  SettledEntry,
  Settlement,
} from './pending-entry.js';

/**
 * Port to what keeps changes until they are done, for the callers that capture, settle and give up. There is
 * one entry per address.
 */
export interface PendingChangeStore {
  /**
   * - Every change is captured before the commit of its entity, in the entity's own transaction.
   * - What is settled stays as a clean row.
   *
   * Of a store that is not durable neither holds: a change is captured when it has failed.
   */
  readonly durable: boolean;

  /**
   * What it keeps is there after the end of the process. A store that is not durable is then asked to capture
   * a change before its first request is sent, because the request may arrive though the process dies.
   */
  readonly outlivesProcess: boolean;

  /**
   * Keeps changes.
   *
   * What a second capture of an address does to its entry:
   * - It raises the version.
   * - It takes over trigger, operation and claimant.
   * - It keeps id, place and createdAt, and its cid where the later change has none.
   * - It gives the entry all its attempts, since what failed was another record, unless it is `backfill`.
   * - It ends what the entry waited for: the entry is no backlog and wants no session.
   * - An entry that was discarded, settled or removed begins anew, with a version that is greater still.
   *
   * What it leaves as it is:
   * - A `backfill` change takes over nothing from an entry that is no backfill. The entry is backfill if both
   *   are.
   * - What was asked for by hand of the same entity stays as `keptTrigger` says, with its operation.
   * - A `givenUp` change of another entity leaves the claimant, within one call too.
   *
   * A change with `unlessSettled` may be left alone, and is then returned by its at-uri:
   * - if nothing is pending or dead at the address, and the last {@link settle} there was of the same `cid`
   *   for the same claimant, and not `asIs`;
   * - or if it has no `cid`, and nothing was ever kept there.
   * - In doubt it is kept. What was removed or discarded is in doubt: a request for it may still be under
   *   way.
   *
   * Races:
   * - Two captures of one DID at once lose neither.
   * - What is left alone stays as it is until the transaction of `runner` ends.
   *
   * @param runner the entity's open transaction (durable stores): one statement in it, whatever the number of
   *   changes, which touches no lane. An error has to roll that transaction back
   */
  capture(changes: readonly OfferedChange[], runner?: QueryRunner): Promise<ReadonlySet<string>>;

  /**
   * The entries of a lane that can be tried. Empty: nothing to do.
   *
   * - The oldest comes first, and backfill comes last.
   * - Backfill is left out before the `backfillAt` of the last `LaneStore.release`.
   * - Entries that wait for another session are left out.
   * - Unless `backlog` is set, the backlog that `LaneStore.unpark` left is left out, and so are records that
   *   failed and rest (`restAfter`) until they are captured again or the account signs in.
   */
  due(did: string, options: { limit: number; backlog: boolean }): Promise<PendingEntry[]>;

  /**
   * This process does not know the class whose changes are kept under this name.
   *
   * - {@link due} and `LaneStore.readyLanes` leave its entries out from now on, save those of rows that are
   *   gone.
   * - A lane in which one of them is due is never put to sleep: another process tries it.
   *
   * @returns false if they are left out already
   */
  leave(entityName: string): boolean;

  /** The entries at these at-uris, in any order, whatever they wait for. An at-uri without one gives none. */
  at(did: string, uris: readonly string[]): Promise<PendingEntry[]>;

  /**
   * The addresses are as they should be, as of the versions that were read.
   *
   * - Race: an entry whose version has moved meanwhile stays.
   * - It is refused (false) if the lease is no longer ours.
   */
  settle(lease: Lease, done: readonly SettledEntry[]): Promise<boolean>;

  /**
   * {@link settle} in one transaction with other `work` in the database of the entities. Durable stores have
   * it.
   *
   * - The work comes first.
   * - What is remembered of the repository is kept along, if that is kept there.
   * - All of it is done, or nothing.
   *
   * @param along what to settle, as the result of the work tells
   * @throws LeaseLostError, and nothing is done, if the lease is no longer ours
   */
  settleWith?<T>(lease: Lease, work: SqlScript<T>, along: (result: T) => Settlement): Promise<T>;

  /**
   * {@link settleWith} where the work is the update of one row, in a single statement.
   *
   * - It waits for no lock on that row.
   * - All of it is done, or nothing.
   *
   * @param row an update that ends with its condition
   * @returns false, and nothing is done: the lease is no longer ours, or the row is not as the update takes
   *   it, or another transaction holds it, or the database refuses the statement or has none; {@link
   *   settleWith} finds out which
   */
  settleRow?(lease: Lease, row: Statement, along: Settlement): Promise<boolean>;

  /**
   * Tries failed: remembers the error, and the attempt where it counts.
   *
   * - Race: an entry whose version has moved keeps its attempts.
   * - It is refused (false) if the lease is no longer ours.
   */
  failed(lease: Lease, tries: readonly FailedAttempt[]): Promise<boolean>;

  /**
   * Gives entries up, as of a version, and returns what was given up.
   *
   * - A durable store keeps them as dead letters.
   * - Race: an entry whose version has moved, or that is gone, is not given up.
   */
  discard(
    lease: Lease,
    given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
  ): Promise<Discarded[]>;

  /** Removes one, without a dead letter. False if there was none. */
  remove(id: string): Promise<boolean>;

  /** Removes all of an account, without dead letters. Returns how many. */
  removeForDid(did: string): Promise<number>;

  /**
   * Gives up, as {@link discard} does, what no process will do. Bounded per call; empty: nothing more to do.
   *
   * - What is older than the ttl goes.
   * - Of classes that were {@link leave | left} what was due for 7 days goes, if no process has tried it.
   * - Unpublishes never expire.
   */
  cleanup(): Promise<Discarded[]>;
}
