import { Logger, type FactoryProvider } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { ParityOptionsError } from './errors/parity-options.error.js';
import { ParityEvents } from './events/parity-events.js';
import type { ResolvedOptions } from './model/options.js';
import { PENDING_DATA_SOURCE } from './parity.module-definition.js';
import { CachePendingSyncStore } from './pending/cache/cache-pending-sync.store.js';
import { CacheRepositoryState } from './pending/cache/cache-repository-state.store.js';
import { DatabasePendingSyncStore } from './pending/database/database-pending-sync.store.js';
import { DatabaseRepositoryState } from './pending/database/database-repository-state.store.js';
import { LaneLoop } from './lanes/lane.loop.js';
import { LaneAttempts } from './lanes/lane-attempts.js';
import { LaneWorker } from './lanes/lane.worker.js';
import { PendingSyncManager } from './maintenance/pending-sync.manager.js';
import type { PendingSyncStore } from './pending/pending-sync.store.js';
import { SessionListener } from './lanes/session.listener.js';
import { InMemoryRepositoryState } from './pds/in-memory-repository-state.store.js';
import { RepositoryStateStore } from './pds/repository-state.store.js';
import { RepositoryWriter } from './pds/repository-writer.js';
import { SyncedEntities } from './entities/synced-entities.js';
import { SessionProvider } from './sessions/session-provider.js';
import { SHUTDOWN_LIMIT } from './sync/shutdown-limit.js';
import { SyncEngine } from './sync/sync-engine.js';
import { SyncService } from './sync/sync.service.js';

export const RESOLVED_OPTIONS = Symbol('parity:resolved-options');

export const PENDING_STORE = Symbol('parity:pending-store');

export const logger = new Logger('Parity');

/** What keeps and retries what is not done yet; all of it null while pending syncs are disabled. */
export const pendingProviders: FactoryProvider[] = [
  {
    provide: PENDING_STORE,
    inject: [RESOLVED_OPTIONS, SyncedEntities, { token: PENDING_DATA_SOURCE, optional: true }],
    useFactory: pendingStore,
  },
  {
    provide: LaneAttempts,
    inject: [
      RESOLVED_OPTIONS,
      { token: PENDING_STORE, optional: true },
      SyncEngine,
      RepositoryWriter,
      RepositoryStateStore,
      SyncedEntities,
      SessionProvider,
      ParityEvents,
    ],
    useFactory: (
      { pendingSyncs }: ResolvedOptions,
      store: PendingSyncStore | null,
      engine: SyncEngine,
      writer: RepositoryWriter,
      state: RepositoryStateStore,
      entities: SyncedEntities,
      sessions: SessionProvider,
      events: ParityEvents,
    ) =>
      store &&
      new LaneAttempts({
        store,
        state,
        engine,
        writer,
        entities,
        sessions,
        events,
        autoRetry: pendingSyncs.autoRetry,
        log: logger,
      }),
  },
  {
    provide: LaneWorker,
    inject: [RESOLVED_OPTIONS, { token: LaneAttempts, optional: true }],
    useFactory: ({ pendingSyncs }: ResolvedOptions, attempts: LaneAttempts | null) =>
      attempts && new LaneWorker({ attempts, maxAttempts: pendingSyncs.maxAttempts }),
  },
  {
    provide: LaneLoop,
    inject: [
      { token: LaneWorker, optional: true },
      { token: LaneAttempts, optional: true },
    ],
    useFactory: (worker: LaneWorker | null, attempts: LaneAttempts | null) =>
      worker &&
      attempts &&
      new LaneLoop({
        worker,
        store: attempts.options.store,
        concurrency: 10,
        interval: 5_000,
        drainLimit: SHUTDOWN_LIMIT,
        cleanup: () => attempts.discards.cleanup(),
        log: logger,
      }),
  },
  {
    provide: SessionListener,
    inject: [RESOLVED_OPTIONS, { token: PENDING_STORE, optional: true }, { token: LaneLoop, optional: true }],
    useFactory: ({ pendingSyncs }: ResolvedOptions, store: PendingSyncStore | null, loop: LaneLoop | null) =>
      new SessionListener(store && loop && { store, loop, autoRetry: pendingSyncs.autoRetry, log: logger }),
  },
  {
    provide: PendingSyncManager,
    inject: [
      SyncService,
      { token: PENDING_STORE, optional: true },
      { token: LaneAttempts, optional: true },
      { token: LaneWorker, optional: true },
    ],
    useFactory: (
      sync: SyncService,
      store: PendingSyncStore | null,
      attempts: LaneAttempts | null,
      worker: LaneWorker | null,
    ) => new PendingSyncManager(store && attempts && worker && { store, attempts, worker }, sync),
  },
];

const isDurable = ({ pendingSyncs }: ResolvedOptions): boolean =>
  pendingSyncs.enabled && pendingSyncs.storage === 'database';

/** What is remembered of repositories lives as long as what is pending for them. */
export function repositoryState(options: ResolvedOptions, dataSource?: DataSource): RepositoryStateStore {
  const { enabled, cache } = options.pendingSyncs;
  if (isDurable(options)) return new DatabaseRepositoryState(ledgerOf(options, dataSource));
  return enabled && cache
    ? new CacheRepositoryState({ cache, warn: (message) => logger.warn(message) })
    : new InMemoryRepositoryState();
}

function pendingStore(
  options: ResolvedOptions,
  { nameOf }: SyncedEntities,
  dataSource?: DataSource,
): PendingSyncStore | null {
  const { enabled, ttl, cache, preparedStatements } = options.pendingSyncs;
  if (!enabled) return null;
  return isDurable(options)
    ? new DatabasePendingSyncStore({
        dataSource: ledgerOf(options, dataSource),
        ttl,
        preparedStatements,
        nameOf,
      })
    : new CachePendingSyncStore({ ttl, nameOf, cache, warn: (message) => logger.warn(message) });
}

/** The pending syncs of an entity are kept in its own transaction, so in its own DataSource. */
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
