import type { QueryRunner } from 'typeorm';
import { reasonOf } from '../errors/reason-of.js';
import type { ParityEvents } from '../events/parity-events.js';
import { PendingSyncCaptured } from '../events/pending-sync-captured.event.js';
import { atUri } from '../model/address.js';
import type { PendingSync } from '../model/pending-sync.js';
import type { RepositoryStateStore } from '../pds/repository-state.store.js';
import type { RepositoryWriter } from '../pds/repository-writer.js';
import type { SessionProvider } from '../sessions/session-provider.js';
import type { Change } from '../sync/change.js';
import type { Outcome } from '../sync/outcome.js';
import type { SettledVersions } from '../sync/settled-versions.js';
import type { SyncEngine } from '../sync/sync-engine.js';
import type { SyncRun } from '../sync/sync-run.js';
import { toPending } from '../pending/change-entries.js';
import { failedAttempts, needsSession, settledEntries } from './attempt-outcomes.js';
import { FirstAttemptState } from './first-attempt.state.store.js';
import { byUri, LaneGate } from './lane.gate.js';
import type { LeasedLane } from './leased-lane.js';
import { LaneParks } from './lane-parks.js';
import { LaneSettlement, settlesWithRows } from './lane-settlement.js';
import { nextAttempt } from './next-attempt.js';
import { RunningAttempts } from './running-attempts.js';
import { parkCodeOf, type LaneNext, type Lease, type PendingEntry } from '../pending/pending-entry.js';
import type { PendingSyncStore } from '../pending/pending-sync.store.js';

export interface LaneOptions {
  readonly store: PendingSyncStore;
  readonly state: RepositoryStateStore;
  readonly engine: SyncEngine;
  readonly writer: RepositoryWriter;
  readonly sessions: SessionProvider;
  readonly events: ParityEvents;
  readonly versions: SettledVersions;
  /** Whether the backlog of an account that has signed in again is retried automatically. */
  readonly autoRetry: boolean;
  readonly log: { warn(message: string): void };
}

/** Some changes of a lane, to be attempted under its lease. */
export interface Attempt {
  readonly held: LeasedLane;
  readonly changes: readonly Change[];
  readonly entries: ReadonlyMap<string, PendingEntry>;
  /** What becomes of the lane if no failure is transient. */
  readonly next: LaneNext;
  readonly backfill: boolean;
  /** Whether the entries are attempted again. Otherwise the changes are new, and kept if they fail. */
  readonly isRetry: boolean;
  /**
   * Whether the last settlement may give the lane back: nothing is done under the lease once all changes are
   * settled.
   */
  readonly givesBack?: boolean;
}

export interface AttemptResult {
  /** One per change, in their order. */
  readonly outcomes: Outcome[];
  /** By at-uri, the failed changes as they are kept now. */
  readonly kept: ReadonlyMap<string, PendingEntry>;
  /** Set if the results could not be stored. `kept` then has what is known to be kept from before. */
  readonly storeError?: Error;
}

/** One attempt on some changes of a leased lane. The dispatcher and the lane worker both use it. */
export class LaneAttempts {
  readonly store: PendingSyncStore;
  readonly gate: LaneGate;
  readonly parks: LaneParks;

  constructor(
    private readonly options: LaneOptions,
    /** The attempts of this process. */
    private readonly running = new RunningAttempts(options.versions),
  ) {
    this.store = options.store;
    this.parks = new LaneParks(options);
    this.gate = new LaneGate({ ...options, parks: this.parks });
  }

  /** The same on the caller's connection, for as long as the caller waits. */
  on(own: (() => QueryRunner | undefined) | undefined): LaneAttempts {
    if (!own) return this;
    const { store, state } = this.options;
    return new LaneAttempts({ ...this.options, store: store.on(own), state: state.on(own) }, this.running);
  }

  /** Whether this process is writing for a DID right now. */
  isRunning(did: string): boolean {
    return this.running.isRunning(did);
  }

  /** Attempts changes, settles those that succeeded, and stores those that failed. */
  async run(attempt: Attempt, run: SyncRun = {}): Promise<AttemptResult> {
    const { did } = attempt.held.lease;
    const sessionId = await this.parks.sessionId(did);
    return this.running.track(did, () => this.attempt(attempt, run, sessionId));
  }

  private async attempt(attempt: Attempt, run: SyncRun, sessionId: string | null): Promise<AttemptResult> {
    const { held, changes, entries, backfill, isRetry, next } = attempt;
    const { lease, failures, permit } = held;
    const { did } = lease;
    held.begin();
    const first = isRetry ? null : this.firstAttempt(held, changes, entries);
    const ledger = this.ledgerOf(attempt);
    const outcomes = await this.options.engine.run(did, changes, {
      ...run,
      ...(ledger && { ledger }),
      state: first ?? held.state,
      backfill,
      permit,
    });
    const known = first?.captured ?? entries;
    try {
      await this.captureElsewhere(outcomes);
      const unsettled = outcomes.filter(({ change }) => !ledger?.settled.has(change));
      await this.settle(lease, unsettled, known);
      const failed = outcomes.filter(({ failure }) => failure !== undefined);
      const kept = await this.keep(lease, failed, isRetry ? entries : first?.captured);
      const auth = failed.find(({ failure }) => failure?.kind === 'auth')?.failure;
      if (auth)
        await this.parks.park(did, { reason: auth.error.message, sessionId, code: parkCodeOf(auth.error) });
      else if (failed.some(needsSession)) await this.parks.voidIfRenewed(did, sessionId);
      held.finish(nextAttempt(failed, { failures, next, backfill }));
      return { outcomes, kept };
    } catch (error) {
      // The outcomes of the attempt are true although they could not be stored.
      return { outcomes, kept: known, storeError: error as Error };
    }
  }

  /** @returns undefined if the store is in no database */
  private ledgerOf({ held, changes, entries, givesBack = false }: Attempt): LaneSettlement | undefined {
    const { store } = this.options;
    return settlesWithRows(store)
      ? new LaneSettlement(store, held, entries, givesBack ? changes : null)
      : undefined;
  }

  /** @returns null if the changes are captured already, or would be lost with this process anyway */
  private firstAttempt(
    held: LeasedLane,
    changes: readonly Change[],
    entries: Attempt['entries'],
  ): FirstAttemptState | null {
    const { store, log } = this.options;
    if (store.durable || !store.outlivesProcess) return null;
    const { did } = held.lease;
    return new FirstAttemptState(held.state, async () => {
      try {
        // A change that was captured since the attempt began is newer than what the attempt has read, and
        // stays due.
        const now = await this.entriesAt(did, changes);
        return await this.capture(
          did,
          changes.filter((change) => versionIn(now, change) === versionIn(entries, change)),
        );
      } catch (error) {
        log.warn(`Changes of ${did} are sent without being kept first: ${reasonOf(error)}`);
        return undefined;
      }
    });
  }

  /**
   * Captures changes that are not attempted now, and returns their entries. A durable store has captured them
   * already.
   */
  async capture(did: string, changes: readonly Change[]): Promise<Map<string, PendingEntry>> {
    const { store } = this.options;
    if (!store.durable) await store.capture(changes.map(toPending));
    return this.entriesAt(did, changes);
  }

  async entriesAt(did: string, changes: readonly Change[]): Promise<Map<string, PendingEntry>> {
    const entries = await this.options.store.at(
      did,
      changes.map(({ address }) => atUri(address)),
    );
    return byUri(entries);
  }

  captured(sync: PendingSync, entity: object | undefined): void {
    this.options.events.emit(new PendingSyncCaptured(sync, entity));
  }

  /**
   * Called before the change is settled: after that, nothing else remembers what it asks for at the new
   * address of its entity.
   */
  private async captureElsewhere(outcomes: readonly Outcome[]): Promise<void> {
    const changes = outcomes.flatMap(({ elsewhere }) => elsewhere ?? []);
    if (changes.length === 0) return;
    await this.options.store.capture(changes.map(toPending));
    for (const did of new Set(changes.map(({ address }) => address.did))) await this.options.store.wake(did);
  }

  private async settle(
    lease: Lease,
    outcomes: readonly Outcome[],
    entries: ReadonlyMap<string, PendingEntry>,
  ): Promise<void> {
    const done = settledEntries(outcomes, entries);
    if (done.length > 0 && !(await this.options.store.settle(lease, done))) {
      this.options.log.warn(
        `The lease of ${lease.did} was lost during a write; whoever has it now settles it.`,
      );
    }
  }

  /**
   * Keeps failed changes.
   * - A durable store has them already.
   * - Another store captures each new change, which may ask for something else than the stored one.
   * - It captures nothing that was captured during this attempt (`known`).
   */
  private async keep(
    lease: Lease,
    failed: readonly Outcome[],
    known: ReadonlyMap<string, PendingEntry> | undefined,
  ): Promise<Map<string, PendingEntry>> {
    if (failed.length === 0) return new Map();
    const { store } = this.options;
    const changes = failed.map(({ change }) => change);
    const kept = known ?? (await this.capture(lease.did, changes));
    await store.failed(lease, failedAttempts(failed, kept));
    return this.entriesAt(lease.did, changes);
  }
}

const versionIn = (entries: Attempt['entries'], { address }: Change): number | undefined =>
  entries.get(atUri(address))?.version;
