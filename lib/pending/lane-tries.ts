import type { QueryRunner } from 'typeorm';
import { MissingScopeError } from '../errors/missing-scope.error.js';
import type { ParityEvents } from '../events/parity-events.js';
import { PendingSyncCaptured } from '../events/pending-sync-captured.event.js';
import { PendingSyncDiscarded } from '../events/pending-sync-discarded.event.js';
import { atUri } from '../model/address.js';
import type { PendingSync } from '../model/pending-sync.js';
import type { SyncedEntities } from '../records/synced-entities.js';
import type { SessionProvider } from '../sessions/session-provider.js';
import type { Change } from '../sync/change.js';
import type { Outcome } from '../sync/outcome.js';
import type { SyncEngine, SyncRun } from '../sync/sync-engine.js';
import { backoff, nextTry } from './backoff.js';
import { toPending } from './entry-change.js';
import type { Discarded, FailedTry, Lane, Lease, PendingEntry } from './pending-entry.js';
import type { PendingSyncStore } from './pending-sync.store.js';

export interface LaneOptions {
  readonly store: PendingSyncStore;
  readonly engine: SyncEngine;
  readonly entities: SyncedEntities;
  readonly sessions: SessionProvider;
  readonly events: ParityEvents;
  /** Whether the backlog of an account that has signed in again runs by itself. */
  readonly autoRetry: boolean;
  readonly log: { debug(message: string): void; warn(message: string): void; error(message: string): void };
}

export interface Tried {
  /** One per change, in their order. */
  readonly outcomes: Outcome[];
  /** By at-uri: what failed, as it is kept now. */
  readonly kept: ReadonlyMap<string, PendingEntry>;
}

/** How long a lane is leased for one try, in ms; prolonged while work goes on. */
const LEASE = 120_000;

class Running {
  readonly dids = new Set<string>();
  ended = 0;
}

/** What the dispatcher and the worker have in common: one try of some changes of a lane, under its lease. */
export class LaneTries {
  constructor(
    readonly options: LaneOptions,
    private readonly running = new Running(),
  ) {}

  /** Tries that have ended in this process. */
  get endedCount(): number {
    return this.running.ended;
  }

  /** The same on the caller's connection, for as long as it waits. */
  on(own: (() => QueryRunner | undefined) | undefined): LaneTries {
    return own ? new LaneTries({ ...this.options, store: this.options.store.on(own) }, this.running) : this;
  }

  /** Whether this process is writing for a DID right now. */
  isRunning(did: string): boolean {
    return this.running.dids.has(did);
  }

  /** Whether nothing of the lane is to be tried now: parked, with the session that failed still being the one that there is; or backed off. */
  async closed(lane: Lane): Promise<string | null> {
    if (lane.park) {
      const current = await this.sessionId(lane.did);
      if (current === null || current === lane.park.sessionId) {
        return `${lane.did} has to sign in again: ${lane.park.reason}`;
      }
      // A newer session voids the park, whatever became of the event that told of it.
      await this.options.store.unpark(lane.did, { retry: this.options.autoRetry });
    }
    return lane.retryAt && lane.retryAt.getTime() > Date.now()
      ? `the PDS did not answer well; the next try is at ${lane.retryAt.toISOString()}`
      : null;
  }

  /** null: somebody else works on the lane. */
  lease(did: string): Promise<Lease | null> {
    return this.options.store.lease(did, LEASE);
  }

  /** Tries changes, settles what succeeded, remembers what failed, and gives the lane back. */
  async run(
    lease: Lease,
    failures: number,
    changes: readonly Change[],
    entries: ReadonlyMap<string, PendingEntry>,
    run: SyncRun = {},
    isRetry = false,
  ): Promise<Tried> {
    const { store, engine } = this.options;
    const { did } = lease;
    const sessionId = await this.sessionId(did);
    const keepAlive = this.prolong(lease);
    this.running.dids.add(did);
    try {
      const outcomes = await engine.run(did, changes, run);
      await this.captureElsewhere(outcomes);
      await this.settle(lease, outcomes, entries);
      const failed = outcomes.filter(({ failure }) => failure !== undefined);
      const kept = await this.keep(lease, failed, isRetry ? entries : null);
      const auth = failed.find(({ failure }) => failure?.kind === 'auth')?.failure;
      if (auth) await this.park(did, auth.error.message, sessionId);
      // What failed in passing before must not fall asleep because this went well.
      else if (failures > 0 && !isRetry) await store.wake(did);
      await store.release(lease, nextTry(failed, failures));
      return { outcomes, kept };
    } catch (error) {
      await store.release(lease, {
        retryAt: new Date(Date.now() + backoff(failures + 1)),
        failures: failures + 1,
      });
      throw error;
    } finally {
      clearInterval(keepAlive);
      this.running.dids.delete(did);
      this.running.ended += 1;
    }
  }

  /** Captures changes that are not tried now (a durable store has done it already), and gives their entries. */
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
    return new Map(entries.map((entry) => [entry.sync.uri, entry]));
  }

  captured(sync: PendingSync, entity: object | undefined): void {
    this.options.events.emit(new PendingSyncCaptured(sync, entity));
  }

  /** Gives entries up, and tells. */
  async discard(lease: Lease, given: readonly { entry: PendingEntry; reason: string }[]): Promise<number> {
    return this.tellDiscarded(await this.options.store.discard(lease, given));
  }

  /** Gives up what is older than the ttl, and tells. Returns how many went. */
  async cleanup(): Promise<number> {
    let gone = 0;
    for (;;) {
      const discarded = await this.options.store.cleanup();
      if (discarded.length === 0) return gone;
      gone += this.tellDiscarded(discarded);
    }
  }

  private tellDiscarded(discarded: readonly Discarded[]): number {
    for (const { sync, reason } of discarded) {
      this.options.log.warn(
        `The pending ${sync.operation} of ${sync.entityName} ${sync.entityId} is given up: ${reason}`,
      );
      this.options.events.emit(new PendingSyncDiscarded(sync, reason));
    }
    return discarded.length;
  }

  /** Before the change is settled: from then on nothing else would remember what it asks for at its entity's new address. */
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
    const done = outcomes
      .filter(({ failure }) => failure === undefined)
      .flatMap(({ change, result }) => {
        const entry = entries.get(atUri(change.address));
        if (!entry) return [];
        // What was skipped was left as it is.
        const cid = result.status === 'skipped' ? entry.cid : (result.cid ?? null);
        return [{ uri: entry.sync.uri, version: entry.version, cid }];
      });
    if (done.length > 0 && !(await this.options.store.settle(lease, done))) {
      this.options.log.warn(
        `The lease of ${lease.did} was lost during a write; whoever has it now settles it.`,
      );
    }
  }

  /** What failed is kept. A durable store has it already; another captures each new change, which may ask for something else than before. */
  private async keep(
    lease: Lease,
    failed: readonly Outcome[],
    retried: ReadonlyMap<string, PendingEntry> | null,
  ): Promise<Map<string, PendingEntry>> {
    if (failed.length === 0) return new Map();
    const { store } = this.options;
    const changes = failed.map(({ change }) => change);
    const kept = retried ?? (await this.capture(lease.did, changes));
    const tries = failed.flatMap(({ change, failure }): FailedTry[] => {
      const entry = kept.get(atUri(change.address));
      if (!entry || !failure) return [];
      return [
        {
          uri: entry.sync.uri,
          version: entry.version,
          error: failure.error.message,
          spendsAttempt: failure.kind === 'permanent' || failure.kind === 'conflict',
          needsSession: failure.error instanceof MissingScopeError,
        },
      ];
    });
    await store.failed(lease, tries);
    return this.entriesAt(lease.did, changes);
  }

  private async park(did: string, reason: string, sessionId: string | null): Promise<void> {
    const { store, autoRetry } = this.options;
    await store.park(did, { reason, sessionId });
    // The account may have signed in while the try was under way, and whoever listens to that was too early.
    const now = await this.sessionId(did);
    if (now !== null && now !== sessionId) await store.unpark(did, { retry: autoRetry });
  }

  private prolong(lease: Lease): NodeJS.Timeout {
    const timer = setInterval(() => {
      this.options.store.extend(lease, LEASE).catch((error: unknown) => {
        this.options.log.warn(`The lease of ${lease.did} could not be prolonged: ${String(error)}`);
      });
    }, LEASE / 3);
    return timer.unref();
  }

  private async sessionId(did: string): Promise<string | null> {
    // A store that does not answer now says nothing about the session; the try itself will tell.
    return (await this.options.sessions.sessionId?.(did).catch(() => null)) ?? null;
  }
}
