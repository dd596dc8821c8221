import type { RepositoryState } from '../pds/repository-state.store.js';
import type { SqlScript, Statement } from '../database/sql-script.js';
import type { Target } from './target.js';

/** A target whose row is written. */
export interface Settling {
  readonly target: Target;
  /** Otherwise it is pending still: more has to be found out, or done elsewhere. */
  readonly isFinal: boolean;
}

/**
 * Port to what keeps changes until they are done, in the database of their entities: it settles them together
 * with the rows.
 */
export interface SettlementLedger {
  /**
   * All of it in one transaction, or nothing: whoever has the lane by now decides on what he read.
   *
   * @param rows writes rows, and gives what is done by that
   * @param state what the repository is remembered with then; undefined: as it is
   * @returns what `rows` gave
   * @throws LeaseLostError, and nothing is written, if the lane is somebody else's by now
   */
  settle<T extends Settling>(
    rows: SqlScript<readonly T[]>,
    state: (done: readonly T[]) => RepositoryState | undefined,
  ): Promise<readonly T[]>;

  /**
   * The same for one row in a single statement.
   *
   * @param row an update that ends with its condition
   * @returns false, and nothing is written, if there is another way only: {@link settle} takes that
   */
  settleRow(row: Statement, one: Settling, state: RepositoryState | undefined): Promise<boolean>;
}
