import type { QueryRunner } from 'typeorm';
import type { Change, EntityWrite, Resolved, Unresolved } from './change.js';
import type { CommittedBatch } from './committed-batch.js';
import { resolveCommitted } from './change-resolver.js';
import type { SettledVersions } from './settled-versions.js';
import type { SyncRun } from './sync-run.js';

/** The strategy that says when changes are captured: in their transaction, when they fail, or never. */
export interface Capture {
  /**
   * Runs in the entity's transaction, just before its commit.
   *
   * @returns undefined if it captures nothing there
   */
  inTransaction(writes: readonly EntityWrite[], runner: QueryRunner): Promise<Resolved | undefined>;

  /**
   * Resolves a committed batch into changes, and captures those that have to be captured by now.
   *
   * @throws what the store throws, if what the commit did not capture cannot be captured after it
   */
  committed(batch: CommittedBatch, run: SyncRun): Promise<Resolved>;

  /**
   * Keeps entities whose address could not be determined.
   *
   * @returns whether they are attempted again
   */
  keepUnresolved(unresolved: readonly Unresolved[]): Promise<boolean>;

  /** Runs before changes are attempted that the application asked for by hand. */
  byHand(changes: readonly Change[]): Promise<void>;
}

/** Captures nothing, where there are no pending syncs: a failure is reported to the caller, and forgotten. */
export class NoCapture implements Capture {
  constructor(private readonly versions: SettledVersions) {}

  inTransaction(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  committed({ writes }: CommittedBatch, run: SyncRun): Promise<Resolved> {
    return resolveCommitted(writes, run, this.versions);
  }

  keepUnresolved(): Promise<boolean> {
    return Promise.resolve(false);
  }

  byHand(): Promise<void> {
    return Promise.resolve();
  }
}
