import type { DataSource } from 'typeorm';
import type { SyncedEntities } from './entities/synced-entities.js';
import { ParityOptionsError } from './errors/parity-options.error.js';
import type { ParityEvents } from './events/parity-events.js';
import { BackgroundDelivery } from './lanes/background.delivery.js';
import { CaptureOnFailure } from './lanes/capture-on-failure.js';
import { DurableCapture } from './lanes/durable-capture.js';
import { LaneAttempts } from './lanes/lane-attempts.js';
import { LaneDiscards } from './lanes/lane-discards.js';
import { LaneLoop } from './lanes/lane.loop.js';
import { LaneWaker } from './lanes/lane.waker.js';
import { LaneWorker } from './lanes/lane.worker.js';
import { LeasedWork } from './lanes/leased.work.js';
import { StoreFailures } from './lanes/store-failures.js';
import type { ResolvedOptions } from './model/options.js';
import { logger } from './parity.module-tokens.js';
import { InMemoryRepositoryStateStore } from './pds/in-memory-repository-state.store.js';
import type { RepositoryStateStore } from './pds/repository-state.store.js';
import type { RepositoryWriter } from './pds/repository-writer.js';
import { CachePendingSyncStore } from './pending/cache/cache-pending-sync.store.js';
import { CacheRepositoryStateStore } from './pending/cache/cache-repository-state.store.js';
import { DatabasePendingSyncStore } from './pending/database/database-pending-sync.store.js';
import { DatabaseRepositoryStateStore } from './pending/database/database-repository-state.store.js';
import type { PendingSyncStore } from './pending/pending-sync.store.js';
import type { SessionProvider } from './sessions/session-provider.js';
import { AccountDelivery } from './sync/account.delivery.js';
import { NoCapture } from './sync/capture.js';
import { DirectWork } from './sync/direct.work.js';
import { Dispatcher } from './sync/dispatcher.js';
import { FailureReports } from './sync/failure-reports.js';
import { SettledVersions } from './sync/settled-versions.js';
import { SHUTDOWN_LIMIT } from './sync/shutdown-limit.js';
import type { SyncEngine } from './sync/sync-engine.js';

/** The parts that keep and retry pending syncs. */
export interface PendingParts {
  readonly store: PendingSyncStore;
  readonly attempts: LaneAttempts;
  readonly discards: LaneDiscards;
  readonly worker: LaneWorker;
  readonly waker: LaneWaker;
  readonly loop: LaneLoop;
  readonly versions: SettledVersions;
}

export interface Foundations {
  readonly engine: SyncEngine;
  readonly writer: RepositoryWriter;
  readonly state: RepositoryStateStore;
  readonly entities: SyncedEntities;
  readonly sessions: SessionProvider;
  readonly events: ParityEvents;
  readonly dataSource: DataSource | undefined;
}

/** @returns null while pending syncs are disabled */
export function pendingParts(options: ResolvedOptions, foundations: Foundations): PendingParts | null {
  const { enabled, autoRetry, maxAttempts } = options.pendingSyncs;
  if (!enabled) return null;
  const store = pendingStore(options, foundations);
  const versions = new SettledVersions();
  const parts = { ...foundations, store, log: logger };
  const attempts = new LaneAttempts({ ...parts, versions, autoRetry });
  const { gate, parks } = attempts;
  const discards = new LaneDiscards(parts);
  const worker = new LaneWorker({ ...parts, attempts, gate, discards, maxAttempts });
  const waker = new LaneWaker({ store, parks, notify: () => loop.notify(), log: logger });
  const loop: LaneLoop = new LaneLoop({
    worker,
    store,
    concurrency: 10,
    interval: 5_000,
    drainLimit: SHUTDOWN_LIMIT,
    cleanup: () => discards.cleanup(),
    wake: () => waker.drain(),
    log: logger,
  });
  return { store, attempts, discards, worker, waker, loop, versions };
}

/**
 * Chooses the two strategies of the dispatcher by mode and storage: when it captures, and how it delivers.
 */
export function dispatcherOf(
  { sync, pendingSyncs: { whenParked } }: ResolvedOptions,
  pending: PendingParts | null,
  engine: SyncEngine,
  events: ParityEvents,
): Dispatcher {
  const log = logger;
  const reports = new FailureReports(events, log);
  const work = new DirectWork(engine, reports);
  const deadline = sync.deadlineMs;
  if (!pending) {
    const versions = new SettledVersions();
    const delivery = new AccountDelivery({ work, versions, deadline });
    return new Dispatcher({ capture: new NoCapture(versions), delivery, versions, reports, log });
  }
  const { store, attempts, waker, versions } = pending;
  const failures = new StoreFailures(store.durable, reports, log);
  const leased = new LeasedWork({ attempts, direct: work, whenParked, reports, failures });
  const direct = new AccountDelivery({ work: leased, versions, deadline });
  return new Dispatcher({
    capture: store.durable ? new DurableCapture({ store, versions }) : new CaptureOnFailure(store, versions),
    delivery:
      sync.mode === 'background' ? new BackgroundDelivery({ store, waker, direct, failures }) : direct,
    versions,
    reports,
    log,
  });
}

const warn = (message: string): void => logger.warn(message);

const isDurable = ({ pendingSyncs }: ResolvedOptions): boolean =>
  pendingSyncs.enabled && pendingSyncs.storage === 'database';

/** The state of repositories lasts as long as what is pending for them. */
export function repositoryState(options: ResolvedOptions, dataSource?: DataSource): RepositoryStateStore {
  const { enabled, cache } = options.pendingSyncs;
  if (isDurable(options)) return new DatabaseRepositoryStateStore(ledgerOf(options, dataSource));
  return enabled && cache
    ? new CacheRepositoryStateStore({ cache, warn })
    : new InMemoryRepositoryStateStore();
}

function pendingStore(
  options: ResolvedOptions,
  { entities: { nameOf }, dataSource }: Foundations,
): PendingSyncStore {
  const { ttl, cache, cacheOutlivesProcess: outlivesProcess, preparedStatements } = options.pendingSyncs;
  if (!isDurable(options)) return new CachePendingSyncStore({ ttl, nameOf, cache, outlivesProcess, warn });
  const ledger = ledgerOf(options, dataSource);
  return new DatabasePendingSyncStore({ dataSource: ledger, ttl, preparedStatements, nameOf });
}

/** The pending syncs of an entity are kept in its own transaction, and therefore in its own DataSource. */
function ledgerOf({ dataSources }: ResolvedOptions, dataSource: DataSource | undefined): DataSource {
  if (dataSource && dataSources.length === 1) return dataSource;
  throw new ParityOptionsError(
    dataSources.length === 1
      ? `pendingSyncs.storage is 'database', and there is no DataSource '${dataSources[0]}' to keep them in. Import TypeOrmModule.forRoot(); ` +
          `with forRootAsync() and a DataSource that has a name, give dataSources beside useFactory.`
      : `pendingSyncs.storage 'database' keeps them in the transaction of the entity, so in one DataSource; dataSources names ${dataSources.length}. ` +
          `Name one, or use storage 'cache'.`,
  );
}
