import type { DataSource, QueryRunner } from 'typeorm';
import type { SyncedEntities } from '../entities/synced-entities.js';
import type { ParityEvents } from '../events/parity-events.js';
import type { InboundLedger } from '../pending/inbound.ledger.js';
import type { LaneStore } from '../pending/lane.store.js';
import type { PendingChangeStore } from '../pending/pending-change.store.js';
import type { SettledVersions } from '../sync/settled-versions.js';
import type { Resolution } from './conflict-choice.js';

export interface AdmissionConfig {
  readonly dataSource: DataSource;
  readonly entities: SyncedEntities;
  readonly ledger: InboundLedger;
  readonly changes: Pick<PendingChangeStore, 'capture'> & Pick<LaneStore, 'wake'>;
  readonly events: ParityEvents;
  readonly versions: SettledVersions;
  /** Whether an account is followed. */
  readonly follows: (did: string) => boolean | Promise<boolean>;
  /** Tells the lane loop that there is work, and does not wait for it. */
  readonly notify: () => void;
  /** Milliseconds that the application's own code has for an answer. */
  readonly timeoutMs: number;
  readonly log: { warn(message: string): void };
}

export interface AdmitOptions {
  /**
   * Runs in the transaction that ends the last of the evidence: what it writes is committed together with all
   * outcomes. It also runs where there is no evidence.
   */
  readonly keep?: (runner: QueryRunner) => Promise<void>;
  /** Nothing is written; the results say what would be. */
  readonly dryRun?: boolean;
  /** Ends open conflicts, instead of the strategy of their class. */
  readonly resolution?: ForcedResolution;
  /** The caller's connection, for as long as it waits: a pool of one has no other. */
  readonly own?: () => QueryRunner | undefined;
  /** Ends the wait for rows that other transactions hold. */
  readonly signal?: AbortSignal;
}

/** A decision by hand. `dismissed`: row and record stay as they are, although they differ. */
export type ForcedResolution = Exclude<Resolution, { side: 'manual' }> | { readonly side: 'dismissed' };
