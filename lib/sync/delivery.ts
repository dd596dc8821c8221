import type { SyncResult } from '../model/sync-result.js';
import type { Change } from './change.js';
import type { SyncRun } from './sync-run.js';

/** By at-uri. */
export type Results = Map<string, SyncResult>;

/**
 * The strategy that says how changes reach their accounts: while the caller waits, or through the lane loop.
 */
export interface Delivery {
  /**
   * Never throws.
   *
   * @param since the version of `SettledVersions` from before the changes were read
   * @returns one result per change, in their order
   */
  deliver(changes: readonly Change[], run: SyncRun, since: number): Promise<SyncResult[]>;

  /** Whether none of these entities has a record, or will get one from work that is under way or pending. */
  areGone(changes: readonly Change[]): Promise<boolean>;

  /** Called when the application shuts down; see `SyncDispatcher.stop`. */
  stop(): void;

  /** Resolves when the work that is under way now has ended. */
  drain(): Promise<void>;
}

/** Work on the changes of one account. Its caller runs one piece of it at a time per account. */
export interface AccountWork {
  /** Never throws. */
  run(did: string, changes: readonly Change[], run: SyncRun): Promise<AccountResults>;

  /**
   * The result of a change for which the row in hand proves that there is nothing to do; null where there may
   * be something. Sound only while no work on the account is under way.
   */
  resultInHand(change: Change, run: SyncRun): Promise<SyncResult | null>;

  /** See `Delivery.areGone`. */
  areGone(changes: readonly Change[]): Promise<boolean>;

  /**
   * Leaves changes to the next start of the application.
   *
   * @returns false if they would be lost
   */
  postpone(changes: readonly Change[], run: SyncRun): Promise<boolean>;
}

export interface AccountResults {
  readonly results: Results;
  /** Changes for the addresses that the entities have by now, in these or other accounts. */
  readonly elsewhere: readonly Change[];
}
