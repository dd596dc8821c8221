import type { QueryRunner } from 'typeorm';
import { AuthenticationError } from '../errors/authentication.error.js';
import type { SyncResult } from '../model/sync-result.js';
import type { Change, EntityWrite, Resolved } from './change.js';
import type { CommittedBatch } from './committed-batch.js';
import type { SyncRun } from './sync-run.js';

/**
 * The result of a change, with the managed call that made it. Only the caller of that gets an auth failure.
 */
export interface Dispatched {
  readonly result: SyncResult;
  readonly origin: object | undefined;
}

/** The auth failure that the caller of these changes gets, if there is one. */
export const authFailure = (dispatched: readonly Dispatched[]): AuthenticationError | undefined =>
  dispatched.map(({ result }) => result.error).find((error) => error instanceof AuthenticationError);

/**
 * Port to what handles changes, and decides when. The subscriber and the service call it; the module binds
 * the implementation that the options ask for.
 */
export abstract class SyncDispatcher {
  /**
   * The current `SettledVersions.now`. An update that begins now reads record columns of this version or a
   * later one.
   */
  abstract readonly version: number;

  /**
   * Called just before the outermost commit, in the entity's transaction.
   * - Makes the changes durable, where the storage can.
   * - An error rolls the transaction back.
   * - It must not use another connection.
   *
   * @returns what was captured, for {@link afterCommit}; undefined if nothing was
   */
  abstract beforeCommit(writes: readonly EntityWrite[], runner: QueryRunner): Promise<Resolved | undefined>;

  /**
   * Called after the commit. A run with a `runner` uses that connection only, because the pool may have no
   * other to give.
   *
   * @throws only if changes that the commit did not capture cannot be kept
   */
  abstract afterCommit(batch: CommittedBatch, run?: SyncRun): Promise<Dispatched[]>;

  /**
   * Handles changes that the application asked for by hand. Never throws.
   *
   * @returns one result per change, in their order
   */
  abstract dispatch(changes: readonly Change[]): Promise<SyncResult[]>;

  /**
   * Called when the application shuts down.
   * - No more work begins on a change that is kept durably; its caller goes on with 'pending'.
   * - Any other change is worked on as before, because it would be lost otherwise.
   */
  abstract stop(): void;

  /** Resolves when the work that is under way now has ended. Callers that go on saving do not prolong it. */
  abstract drain(): Promise<void>;
}
