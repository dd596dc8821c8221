import type { QueryRunner } from 'typeorm';
import type { RepositoryStateStore } from '../pds/repository-state.store.js';
import type { SettlementLedger } from './settlement-ledger.js';

/** The circumstances of one run of the engine. */
export interface SyncRun {
  /**
   * The caller's connection after its commit, for as long as the caller waits. Undefined: a connection of the
   * pool.
   */
  readonly runner?: () => QueryRunner | undefined;
  /** The ledger, if changes are kept in the database of their entities. */
  readonly ledger?: SettlementLedger;
  /**
   * Makes `runner` return undefined from now on: the caller goes on, or the next step may wait for other
   * transactions.
   */
  readonly leaveRunner?: () => void;
  /** In ms, for a caller that cannot wait as long as others. */
  readonly deadline?: number;
  /** The state of the repository, where the caller keeps it. */
  readonly state?: RepositoryStateStore;
  /** See `WriteRequest`. */
  readonly backfill?: boolean;
  readonly permit?: (milliseconds: number) => Promise<void>;
}
