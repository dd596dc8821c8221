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
 * Port to the store that keeps changes until they are done, for the callers that capture, settle and give up.
 * It keeps one entry per address.
 */
export interface PendingChangeStore {
  /**
   * - Every change is captured before the commit of its entity, in the entity's own transaction.
   * - A settled entry stays as a clean row.
   *
   * Neither holds for a store that is not durable: a change is captured once it has failed.
   */
  readonly durable: boolean;

  /**
   * Whether kept entries are still there after the process has ended. A store like that which is not durable
   * is asked to capture a change before its first request is sent, because the request may arrive although
   * the process dies.
   */
  readonly outlivesProcess: boolean;

  /**
   * Keeps changes.
   *
   * What a further capture of an address does to its entry:
   * - It raises the version.
   * - It takes over trigger, operation and claimant.
   * - It keeps id, place and createdAt. It keeps the cid if the later change has none.
   * - It gives the entry all its attempts again, because another record failed. A `backfill` change does not.
   * - It ends what the entry waited for: the entry is no backlog, and needs no session.
   * - An entry that was discarded, settled or removed begins anew, with a version that is greater still.
   *
   * What a further capture leaves as it is:
   * - A `backfill` change takes over nothing from an entry that is no backfill. The entry is backfill if both
   *   are.
   * - What was asked for by hand of the same entity stays as `keptTrigger` says, with its operation.
   * - A `givenUp` change of another entity leaves the claimant, also within one call.
   * - What was learned of the record stays: `foreign`, `mapped`, an open conflict, the revision.
   *
   * A change with `unlessSettled` may be left alone, and its at-uri is then returned:
   * - if nothing is pending or dead at the address, and the last {@link settle} there had the same `cid` and
   *   the same claimant, and was not `asIs`;
   * - or if it has no `cid`, and nothing was ever kept at the address.
   * - In doubt it is kept. A removed or discarded entry is a doubt: a request for it may still be under way.
   *
   * Races:
   * - Two captures of one DID at once lose neither change.
   * - An address that is left alone stays as it is until the transaction of `runner` ends.
   *
   * @param runner the entity's open transaction (durable stores). The capture is one statement in it,
   *   whatever the number of changes, and touches no lane. An error has to roll that transaction back
   */
  capture(changes: readonly OfferedChange[], runner?: QueryRunner): Promise<ReadonlySet<string>>;

  /**
   * The entries of a lane that can be attempted. Empty if there is nothing to do.
   *
   * - The oldest comes first, and backfill comes last.
   * - Backfill is left out before the `backfillAt` of the last `LaneStore.release`.
   * - Entries that wait for another session are left out, and so are entries in conflict.
   * - Unless `backlog` is set, the backlog that `LaneStore.unpark` made is left out.
   * - Unless `backlog` is set, a record that failed and rests (`restAfter`) is left out until it is captured
   *   again, or the account signs in.
   */
  due(did: string, options: { limit: number; backlog: boolean }): Promise<PendingEntry[]>;

  /**
   * Tells that this process does not know the class whose changes are kept under this name.
   *
   * - From now on {@link due} and `LaneStore.readyLanes` leave its entries out, except those of deleted rows.
   * - A lane in which one of its entries is due is never put to sleep, because another process attempts that
   *   entry.
   *
   * @returns false if they are left out already
   */
  leave(entityName: string): boolean;

  /**
   * The entries at these at-uris, in any order, whatever they wait for. An at-uri without an entry gives
   * none.
   */
  at(did: string, uris: readonly string[]): Promise<PendingEntry[]>;

  /**
   * Settles addresses that are as they should be, as of the versions that were read.
   *
   * - Race: an entry whose version has moved meanwhile stays pending.
   * - Race: a settlement leaves what was learned of a later revision meanwhile.
   * - It is refused (false) if the lease is lost.
   */
  settle(lease: Lease, done: readonly SettledEntry[]): Promise<boolean>;

  /**
   * Does {@link settle} in one transaction with other `work` in the database of the entities. Durable stores
   * have it.
   *
   * - The work runs first.
   * - The state of the repository is kept in the same transaction, if it is kept in that database.
   * - All of it is done, or nothing.
   *
   * @param settlementOf tells what to settle, from the result of the work
   * @throws LeaseLostError, with nothing done, if the lease is lost
   */
  settleWith?<T>(lease: Lease, work: SqlScript<T>, settlementOf: (result: T) => Settlement): Promise<T>;

  /**
   * Does {@link settleWith} in a single statement, where the work is the update of one row.
   *
   * - It waits for no lock on that row.
   * - All of it is done, or nothing.
   *
   * @param row an update that ends with its condition
   * @returns false, with nothing done, if the lease is lost, the row is not as the update
   *   expects it, another transaction holds the row, or the database refuses the statement or has none.
   *   {@link settleWith} then finds out which
   */
  settleRow?(lease: Lease, row: Statement, settlement: Settlement): Promise<boolean>;

  /**
   * Records failed attempts: their errors, and the attempt where it counts.
   *
   * - Race: an entry whose version has moved keeps its attempts.
   * - It is refused (false) if the lease is lost.
   */
  failed(lease: Lease, attempts: readonly FailedAttempt[]): Promise<boolean>;

  /**
   * Gives entries up, as of a version.
   *
   * - A durable store keeps them as dead letters.
   * - Race: an entry whose version has moved, or that is gone, is not given up.
   *
   * @returns the entries that were given up
   */
  discard(
    lease: Lease,
    given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
  ): Promise<Discarded[]>;

  /**
   * Removes one entry, without a dead letter.
   *
   * @returns false if there was none
   */
  remove(id: string): Promise<boolean>;

  /**
   * Removes all entries of an account, without dead letters.
   *
   * @returns how many
   */
  removeForDid(did: string): Promise<number>;

  /**
   * Gives up, as {@link discard} does, entries that no process will do. Bounded per call; empty if there is
   * nothing more to give up.
   *
   * - Entries that are older than the ttl are given up.
   * - Entries of {@link leave | left} classes are given up if they were due for 7 days and no process has
   *   attempted them.
   * - Unpublishes never expire.
   */
  cleanup(): Promise<Discarded[]>;
}
