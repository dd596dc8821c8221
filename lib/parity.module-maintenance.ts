import type { FactoryProvider } from '@nestjs/common';
import { ChangeFeeds } from './changes/change-feeds.js';
import { ManualTouch } from './changes/manual-touch.js';
import { PENDING_STORE } from './parity.module-pending.js';
import { DeadLettersService } from './maintenance/dead-letters.service.js';
import { NO_DEAD_LETTERS } from './pending/dead-letter.js';
import { LaneLoop } from './lanes/lane.loop.js';
import { LaneAttempts } from './lanes/lane-attempts.js';
import type { PendingSyncStore } from './pending/pending-sync.store.js';
import { Reconciler } from './maintenance/reconcile/reconciler.js';
import { StatusReader } from './maintenance/status/status.reader.js';
import { RepositoryWriter } from './pds/repository-writer.js';
import { SyncedEntities } from './entities/synced-entities.js';
import { SessionProvider } from './sessions/session-provider.js';
import { SyncDispatcher } from './sync/sync-dispatcher.js';

/** What looks after things from outside: it tells how they stand, and sets right what nobody noticed. */
export const maintenanceProviders: FactoryProvider[] = [
  { provide: ChangeFeeds, useFactory: () => new ChangeFeeds() },
  {
    provide: ManualTouch,
    inject: [SyncedEntities, SyncDispatcher, ChangeFeeds],
    useFactory: (entities: SyncedEntities, dispatcher: SyncDispatcher, feeds: ChangeFeeds) =>
      new ManualTouch(entities, dispatcher, feeds),
  },
  {
    provide: Reconciler,
    inject: [
      SyncedEntities,
      SyncDispatcher,
      RepositoryWriter,
      { token: PENDING_STORE, optional: true },
      { token: LaneLoop, optional: true },
    ],
    useFactory: (
      entities: SyncedEntities,
      dispatcher: SyncDispatcher,
      writer: RepositoryWriter,
      store: PendingSyncStore | null,
      loop: LaneLoop | null,
    ) => new Reconciler({ entities, dispatcher, writer, store, notify: () => loop?.notify() }),
  },
  {
    provide: StatusReader,
    inject: [
      SyncedEntities,
      SessionProvider,
      { token: PENDING_STORE, optional: true },
      { token: LaneAttempts, optional: true },
    ],
    useFactory: (
      entities: SyncedEntities,
      sessions: SessionProvider,
      store: PendingSyncStore | null,
      attempts: LaneAttempts | null,
    ) =>
      new StatusReader({ entities, sessions, store, isRunning: (did) => attempts?.isRunning(did) ?? false }),
  },
  {
    provide: DeadLettersService,
    inject: [
      { token: PENDING_STORE, optional: true },
      { token: LaneLoop, optional: true },
    ],
    useFactory: (store: PendingSyncStore | null, loop: LaneLoop | null) =>
      new DeadLettersService({
        letters: store?.deadLetters ?? NO_DEAD_LETTERS,
        notify: () => loop?.notify(),
      }),
  },
];
