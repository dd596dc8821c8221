import type { FactoryProvider } from '@nestjs/common';
import { ChangeFeeds } from './changes/change-feeds.js';
import { ManualTouch } from './changes/manual-touch.js';
import { SyncedEntities } from './entities/synced-entities.js';
import { InboundService } from './inbound/inbound.service.js';
import { SignInListener } from './inbound/sign-in.listener.js';
import { SessionListener } from './lanes/session.listener.js';
import { DeadLettersService } from './maintenance/dead-letters.service.js';
import { PendingSyncManager } from './maintenance/pending-sync.manager.js';
import { Reconciler } from './maintenance/reconcile/reconciler.js';
import { StatusReader } from './maintenance/status/status.reader.js';
import type { ResolvedOptions } from './model/options.js';
import type { InboundParts } from './parity.module-inbound.js';
import type { PendingParts } from './parity.module-pending.js';
import { INBOUND, logger, PENDING, RESOLVED_OPTIONS } from './parity.module-tokens.js';
import { RepositoryWriter } from './pds/repository-writer.js';
import { NO_DEAD_LETTERS } from './pending/dead-letter.js';
import { SessionProvider } from './sessions/session-provider.js';
import { SyncDispatcher } from './sync/sync-dispatcher.js';
import { SyncService } from './sync/sync.service.js';

/** The providers that report the state of entities, and repair what no event told of. */
export const maintenanceProviders: FactoryProvider[] = [
  { provide: ChangeFeeds, useFactory: () => new ChangeFeeds() },
  {
    provide: ManualTouch,
    inject: [SyncedEntities, SyncDispatcher, ChangeFeeds],
    useFactory: (entities: SyncedEntities, dispatcher: SyncDispatcher, feeds: ChangeFeeds) =>
      new ManualTouch(entities, dispatcher, feeds),
  },
  {
    provide: SessionListener,
    inject: [RESOLVED_OPTIONS, PENDING],
    useFactory: ({ pendingSyncs: { autoRetry } }: ResolvedOptions, pending: PendingParts | null) =>
      new SessionListener(pending && { ...pending, autoRetry, log: logger }),
  },
  {
    provide: PendingSyncManager,
    inject: [SyncService, PENDING],
    useFactory: (sync: SyncService, pending: PendingParts | null) => new PendingSyncManager(pending, sync),
  },
  {
    provide: Reconciler,
    inject: [SyncedEntities, SyncDispatcher, RepositoryWriter, PENDING],
    useFactory: (
      entities: SyncedEntities,
      dispatcher: SyncDispatcher,
      writer: RepositoryWriter,
      pending: PendingParts | null,
    ) =>
      new Reconciler({
        entities,
        dispatcher,
        writer,
        store: pending?.store ?? null,
        notify: () => pending?.loop.notify(),
      }),
  },
  {
    provide: StatusReader,
    inject: [SyncedEntities, SessionProvider, PENDING],
    useFactory: (entities: SyncedEntities, sessions: SessionProvider, pending: PendingParts | null) =>
      new StatusReader({
        entities,
        sessions,
        store: pending?.store ?? null,
        isRunning: (did) => pending?.attempts.isRunning(did) ?? false,
      }),
  },
  {
    provide: InboundService,
    inject: [INBOUND],
    useFactory: (inbound: InboundParts | null) => new InboundService(inbound),
  },
  {
    provide: SignInListener,
    inject: [INBOUND],
    useFactory: (inbound: InboundParts | null) => new SignInListener(inbound && { ...inbound, log: logger }),
  },
  {
    provide: DeadLettersService,
    inject: [PENDING],
    useFactory: (pending: PendingParts | null) =>
      new DeadLettersService({
        letters: pending?.store.deadLetters ?? NO_DEAD_LETTERS,
        notify: () => pending?.loop.notify(),
      }),
  },
];
