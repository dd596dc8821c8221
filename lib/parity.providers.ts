import { Logger, type FactoryProvider } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { ParityOptionsError } from './errors/parity-options.error.js';
import { ParityEvents } from './events/parity-events.js';
import { resolveOptions, type ResolvedOptions } from './model/options.js';
import { PARITY_OPTIONS, type ParityModuleOptions } from './parity.module-definition.js';
import { InMemoryRepositoryState } from './pds/in-memory-repository-state.store.js';
import { RepositoryStateStore } from './pds/repository-state.store.js';
import { RepositoryWriter } from './pds/repository-writer.js';
import { MapperRegistry } from './records/mapper.registry.js';
import { SyncedEntities } from './records/synced-entities.js';
import { AtpOAuthService } from './sessions/oauth/atp-oauth.service.js';
import { SessionProvider } from './sessions/session-provider.js';
import { InlineDispatcher } from './sync/inline.dispatcher.js';
import { SyncDispatcher } from './sync/sync-dispatcher.js';
import { SyncEngine } from './sync/sync-engine.js';
import { SyncService } from './sync/sync.service.js';

export const RESOLVED_OPTIONS = Symbol('parity:resolved-options');

const logger = new Logger('Parity');

/** The engines are plain classes; this is where Nest makes them. */
export const parityProviders: FactoryProvider[] = [
  {
    provide: RESOLVED_OPTIONS,
    inject: [PARITY_OPTIONS],
    useFactory: (options: ParityModuleOptions) => resolveOptions(options, process.env),
  },
  {
    provide: ParityEvents,
    inject: [ModuleRef],
    useFactory: (moduleRef: ModuleRef) =>
      new ParityEvents(eventEmitter(moduleRef), (event, error) =>
        logger.error(
          `A listener of ${event} failed: ${error instanceof Error ? error.message : String(error)}`,
        ),
      ),
  },
  { provide: MapperRegistry, useFactory: () => new MapperRegistry() },
  { provide: SyncedEntities, useFactory: () => new SyncedEntities() },
  {
    provide: AtpOAuthService,
    inject: [PARITY_OPTIONS, ParityEvents],
    useFactory: ({ oauth }: ParityModuleOptions, events: ParityEvents) =>
      oauth && new AtpOAuthService({ ...oauth, events, logger: new Logger(AtpOAuthService.name) }),
  },
  {
    provide: SessionProvider,
    inject: [PARITY_OPTIONS, ModuleRef, { token: AtpOAuthService, optional: true }],
    useFactory: sessionProvider,
  },
  { provide: RepositoryStateStore, useFactory: () => new InMemoryRepositoryState() },
  {
    provide: RepositoryWriter,
    inject: [RESOLVED_OPTIONS, RepositoryStateStore],
    useFactory: ({ pds }: ResolvedOptions, state: RepositoryStateStore) =>
      new RepositoryWriter({ state, timeoutMs: pds.timeoutMs }),
  },
  {
    provide: SyncEngine,
    inject: [RESOLVED_OPTIONS, RepositoryWriter, RepositoryStateStore, SessionProvider, ParityEvents],
    useFactory: (
      { sync }: ResolvedOptions,
      writer: RepositoryWriter,
      state: RepositoryStateStore,
      sessions: SessionProvider,
      events: ParityEvents,
    ) =>
      new SyncEngine({
        writer,
        state,
        sessions,
        events,
        validate: sync.validate,
        warn: (message) => logger.warn(message),
      }),
  },
  {
    provide: SyncDispatcher,
    inject: [RESOLVED_OPTIONS, SyncEngine, ParityEvents],
    useFactory: ({ sync }: ResolvedOptions, engine: SyncEngine, events: ParityEvents) =>
      new InlineDispatcher({ engine, events, deadline: sync.deadlineMs, log: logger }),
  },
  {
    provide: SyncService,
    inject: [SyncedEntities, SyncDispatcher],
    useFactory: (entities: SyncedEntities, dispatcher: SyncDispatcher) =>
      new SyncService(entities, dispatcher),
  },
];

function eventEmitter(moduleRef: ModuleRef): EventEmitter2 {
  try {
    return moduleRef.get(EventEmitter2, { strict: false });
  } catch (cause) {
    throw new ParityOptionsError(
      'ParityModule tells what happens through @nestjs/event-emitter, which is not set up: add EventEmitterModule.forRoot() to the ' +
        "imports of your application's root module.",
      { cause },
    );
  }
}

async function sessionProvider(
  { oauth, sessions }: ParityModuleOptions,
  moduleRef: ModuleRef,
  oauthService: AtpOAuthService | undefined,
): Promise<SessionProvider> {
  if (oauth && sessions)
    throw new ParityOptionsError('Both oauth and sessions are given; sessions come from one of them.');
  if (oauthService) return oauthService;
  if (typeof sessions === 'function') return moduleRef.create(sessions);
  if (sessions && 'useExisting' in sessions) return moduleRef.get(sessions.useExisting, { strict: false });
  if (sessions) return sessions;
  throw new ParityOptionsError(
    'Nobody can write without a session: give ParityModule.forRoot() either oauth: { clientMetadata, … }, or sessions: a ' +
      'SessionProvider (AppPasswordSessionProvider for scripts and bots, or one of your own).',
  );
}
