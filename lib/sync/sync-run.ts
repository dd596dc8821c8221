import type { QueryRunner } from 'typeorm';
import type { RepositoryStateStore } from '../pds/repository-state.store.js';
import type { SettlementLedger } from './settlement-ledger.js';

/** How one run of the engine goes about its changes. */
export interface SyncRun {
  /**
   * The caller's connection after its commit, for as long as the caller waits; undefined: one of the pool.
   */
  readonly runner?: () => QueryRunner | undefined;
  /** Where the changes are kept, if that is in the database of their entities. */
  readonly ledger?: SettlementLedger;
  /** From now on `runner` gives none: the caller goes on, or what comes next may have to wait for others. */
  readonly leaveRunner?: () => void;
  /** In ms, for a caller that cannot wait as long as others. */
  readonly deadline?: number;
  /** What is remembered of the repository, where the caller keeps that. */
  readonly state?: RepositoryStateStore;
  /** See `WriteRequest`. */
  readonly backfill?: boolean;
  readonly permit?: (milliseconds: number) => Promise<void>;
}
