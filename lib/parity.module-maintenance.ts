import type { FactoryProvider } from '@nestjs/common';
import { ChangeFeeds } from './changes/change-feeds.js';
import { Touches } from './changes/touches.js';
import { PENDING_STORE } from './parity.module-pending.js';
import { DeadLetterDesk } from './pending/dead-letter.desk.js';
import { NO_DEAD_LETTERS } from './pending/dead-letter.js';
import { LaneLoop } from './pending/lane.loop.js';
import { LaneTries } from './pending/lane-tries.js';
import type { PendingSyncStore } from './pending/pending-sync.store.js';
import { Reconciler } from './pending/reconcile/reconciler.js';
import { StatusReader } from './pending/status/status.reader.js';
import { RepositoryWriter } from './pds/repository-writer.js';
import { SyncedEntities } from './records/synced-entities.js';
import { SessionProvider } from './sessions/session-provider.js';
import { SyncDispatcher } from './sync/sync-dispatcher.js';

/** What looks after things from outside: it tells how they stand, and sets right what nobody noticed. */
export const maintenanceProviders: FactoryProvider[] = [
  { provide: ChangeFeeds, useFactory: () => new ChangeFeeds() },
  {
    provide: Touches,
    inject: [SyncedEntities, SyncDispatcher, ChangeFeeds],
    useFactory: (entities: SyncedEntities, dispatcher: SyncDispatcher, feeds: ChangeFeeds) =>
      new Touches(entities, dispatcher, feeds),
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
    ) => new Reconciler({ entities, dispatcher, writer, store, poke: () => loop?.poke() }),
  },
  {
    provide: StatusReader,
    inject: [
      SyncedEntities,
      SessionProvider,
      { token: PENDING_STORE, optional: true },
      { token: LaneTries, optional: true },
    ],
    useFactory: (
      entities: SyncedEntities,
      sessions: SessionProvider,
      store: PendingSyncStore | null,
      tries: LaneTries | null,
    ) => new StatusReader({ entities, sessions, store, isRunning: (did) => tries?.isRunning(did) ?? false }),
  },
  {
    provide: DeadLetterDesk,
    inject: [
      { token: PENDING_STORE, optional: true },
      { token: LaneLoop, optional: true },
    ],
    useFactory: (store: PendingSyncStore | null, loop: LaneLoop | null) =>
      new DeadLetterDesk({ letters: store?.deadLetters ?? NO_DEAD_LETTERS, poke: () => loop?.poke() }),
  },
];
