import type { SyncResult } from '../model/sync-result.js';
import type { Change } from './change.js';
import type { SyncRun } from './sync-run.js';

/** By at-uri. */
export type Results = Map<string, SyncResult>;

/** How changes reach the accounts that they are of: while the caller waits, or by the lane loop. */
export interface Delivery {
  /**
   * @param since the version of `SettledVersions` before the changes were read
   * @returns one result per change, in their order. Never throws
   */
  deliver(changes: readonly Change[], run: SyncRun, since: number): Promise<SyncResult[]>;

  /** Whether no entity of these has a record, and none is on its way. */
  areGone(changes: readonly Change[]): Promise<boolean>;

  /** The application shuts down; see `SyncDispatcher.stop`. */
  stop(): void;

  /** Resolves when what is under way now has ended. */
  drain(): Promise<void>;
}

/** What is done about the changes of one account: by one caller at a time for each account. */
export interface AccountWork {
  /** Never throws. */
  run(did: string, changes: readonly Change[], run: SyncRun): Promise<AccountResults>;

  /**
   * The result of a change that the row in hand proves to ask for nothing; null: it may ask for something.
   * Only sound while no work on its account is under way.
   */
  resultInHand(change: Change, run: SyncRun): Promise<SyncResult | null>;

  /** See `Delivery.areGone`. */
  areGone(changes: readonly Change[]): Promise<boolean>;

  /** Leaves changes to the next start of the application. @returns false: they would be lost */
  postpone(changes: readonly Change[], run: SyncRun): Promise<boolean>;
}

export interface AccountResults {
  readonly results: Results;
  /** What the changes ask for in the accounts where their entities are by now. */
  readonly elsewhere: readonly Change[];
}
