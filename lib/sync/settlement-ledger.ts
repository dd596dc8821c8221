import type { RepositoryState } from '../pds/repository-state.store.js';
import type { SqlScript, Statement } from '../database/sql-script.js';
import type { Target } from './target.js';

/** A target whose row is written. */
export interface Settling {
  readonly target: Target;
  /** False if the change stays pending, because something has to be found out first, or done elsewhere. */
  readonly isFinal: boolean;
  /** The revision as of which the record is as the target wants it; undefined if that is not known. */
  readonly rev: string | undefined;
}

/**
 * Port to the ledger that keeps changes until they are done, in the database of their entities. It settles
 * changes together with the rows.
 */
export interface SettlementLedger {
  /**
   * Settles in one transaction, all or nothing. Nothing is written without the lease: another worker that has
   * leased the lane since decides on what it has read.
   *
   * @param rows writes the rows, and returns what is done by that
   * @param state what is then remembered of the repository; undefined leaves it as it is
   * @returns what `rows` returned
   * @throws LeaseLostError, with nothing written, if another worker has the lane by now
   */
  settle<T extends Settling>(
    rows: SqlScript<readonly T[]>,
    state: (done: readonly T[]) => RepositoryState | undefined,
  ): Promise<readonly T[]>;

  /**
   * Does the same for one row, in a single statement.
   *
   * @param row an update that ends with its condition
   * @returns false, with nothing written, where this takes more than one statement; {@link settle} does it
   *   then
   */
  settleRow(row: Statement, settling: Settling, state: RepositoryState | undefined): Promise<boolean>;
}
