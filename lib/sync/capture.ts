import type { QueryRunner } from 'typeorm';
import type { Change, EntityWrite, Resolved, Unresolved } from './change.js';
import type { CommittedBatch } from './committed-batch.js';
import { resolveCommitted } from './change-resolver.js';
import type { SettledVersions } from './settled-versions.js';
import type { SyncRun } from './sync-run.js';

/** When changes are captured: in their transaction, when they fail, or never. */
export interface Capture {
  /** In the entity's transaction, just before its commit. @returns undefined: nothing is captured then */
  inTransaction(writes: readonly EntityWrite[], runner: QueryRunner): Promise<Resolved | undefined>;

  /** What a committed batch comes to, captured as far as it is to be. Never throws. */
  committed(batch: CommittedBatch, run: SyncRun): Promise<Resolved>;

  /** Keeps entities whose address could not be told. @returns whether they are tried again */
  keepUnresolved(unresolved: readonly Unresolved[]): Promise<boolean>;

  /** Before changes are tried that a caller asked for by hand. */
  byHand(changes: readonly Change[]): Promise<void>;
}

/** Without pending syncs: what fails is reported to its caller, and forgotten. */
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
