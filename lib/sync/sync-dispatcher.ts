import type { QueryRunner } from 'typeorm';
import { AuthenticationError } from '../errors/authentication.error.js';
import type { SyncResult } from '../model/sync-result.js';
import type { Change, EntityWrite, Resolved } from './change.js';
import type { CommittedBatch } from './committed-batch.js';
import type { SyncRun } from './sync-run.js';

/** A change's result, with the managed call that made the change, for whom an auth failure is. */
export interface Dispatched {
  readonly result: SyncResult;
  readonly origin: object | undefined;
}

/** The auth failure that the caller of some changes is to hear of, if there is one. */
export const authFailure = (dispatched: readonly Dispatched[]): AuthenticationError | undefined =>
  dispatched.map(({ result }) => result.error).find((error) => error instanceof AuthenticationError);

/**
 * Port to what is done about changes, and when: the subscriber and the service know it, the module binds what
 * the options ask for.
 */
export abstract class SyncDispatcher {
  /** `SettledVersions.now`: the record columns that an update reads are as of this version. */
  abstract readonly version: number;

  /**
   * Just before the outermost commit, in the entity's transaction: makes the changes durable, where the
   * storage can. An error rolls the transaction back. It must not use another connection.
   *
   * @returns what was captured, for {@link afterCommit}; undefined: nothing was
   */
  abstract beforeCommit(writes: readonly EntityWrite[], runner: QueryRunner): Promise<Resolved | undefined>;

  /** After the commit. Never throws; with a `runner` of the run there is no other connection to be had. */
  abstract afterCommit(batch: CommittedBatch, run?: SyncRun): Promise<Dispatched[]>;

  /** What a caller asked for by hand. Never throws. One result per change, in their order. */
  abstract dispatch(changes: readonly Change[]): Promise<SyncResult[]>;

  /**
   * The application shuts down: from now on no work begins on a change that is kept durably, and its caller
   * goes on with 'pending'. Any other change is worked on as before, because its record would be lost
   * otherwise.
   */
  abstract stop(): void;

  /** Resolves when what is under way now has ended; callers that go on saving do not prolong it. */
  abstract drain(): Promise<void>;
}
