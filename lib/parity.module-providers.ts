import { Logger, type FactoryProvider, type Type } from '@nestjs/common';
import { APP_INTERCEPTOR, ModuleRef } from '@nestjs/core';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { currentManagedCall } from './changes/call-context.js';
import { ParityOptionsError } from './errors/parity-options.error.js';
import { reasonOf } from './errors/reason-of.js';
import { ParityEvents } from './events/parity-events.js';
import { PARITY_HTTP_OPTIONS, resolveHttpOptions } from './http/http-options.js';
import { ParityInterceptor } from './http/parity.interceptor.js';
import { globalInterceptor } from './http/request-mode.js';
import type { ResolvedOptions } from './model/options.js';
import { resolveOptions } from './model/resolve-options.js';
import { checkOptions, GIVEN_OPTIONS, type ParityModuleOptions } from './parity.module-definition.js';
import { inboundParts } from './parity.module-inbound.js';
import { dispatcherOf, pendingParts, repositoryState, type PendingParts } from './parity.module-pending.js';
import {
  INBOUND,
  logger,
  PARITY_OPTIONS,
  PENDING,
  PENDING_DATA_SOURCE,
  RESOLVED_OPTIONS,
} from './parity.module-tokens.js';
import { RepositoryStateStore } from './pds/repository-state.store.js';
import { RepositoryWriter } from './pds/repository-writer.js';
import { MapperRegistry } from './records/mapper.registry.js';
import { SyncedEntities } from './entities/synced-entities.js';
import { AtpOAuthService } from './sessions/oauth/atp-oauth.service.js';
import { withStorage } from './sessions/oauth/oauth-storage.js';
import { SessionProvider } from './sessions/session-provider.js';
import { ForeignWrites } from './sync/foreign-writes.js';
import { SyncDispatcher } from './sync/sync-dispatcher.js';
import { SyncEngine } from './sync/sync-engine.js';
import { SyncService } from './sync/sync.service.js';

/** The engines are plain classes; Nest creates them here. */
export const parityProviders: FactoryProvider[] = [
  { provide: PARITY_OPTIONS, inject: [GIVEN_OPTIONS], useFactory: checkOptions },
  {
    provide: RESOLVED_OPTIONS,
    inject: [PARITY_OPTIONS],
    useFactory: (options: ParityModuleOptions) => resolveOptions(options, process.env),
  },
  {
    provide: ParityEvents,
    inject: [{ token: EventEmitter2, optional: true }],
    useFactory: parityEvents,
  },
  { provide: MapperRegistry, useFactory: () => new MapperRegistry() },
  {
    provide: SyncedEntities,
    inject: [RESOLVED_OPTIONS],
    useFactory: ({ sync }: ResolvedOptions) => new SyncedEntities(sync.functionTimeoutMs),
  },
  {
    provide: AtpOAuthService,
    inject: [PARITY_OPTIONS, ParityEvents, ModuleRef],
    useFactory: ({ oauth, sessions }: ParityModuleOptions, events: ParityEvents, moduleRef: ModuleRef) => {
      if (oauth && sessions)
        throw new ParityOptionsError('Both oauth and sessions are given; sessions come from one of them.');
      if (!oauth) return undefined;
      const dataSourceOf = (name: string): DataSource =>
        moduleRef.get<DataSource>(getDataSourceToken(name), { strict: false });
      return new AtpOAuthService({
        ...withStorage(oauth, dataSourceOf),
        events,
        logger: new Logger(AtpOAuthService.name),
      });
    },
  },
  {
    provide: SessionProvider,
    inject: [PARITY_OPTIONS, ModuleRef, { token: AtpOAuthService, optional: true }],
    useFactory: sessionProvider,
  },
  {
    provide: RepositoryStateStore,
    inject: [RESOLVED_OPTIONS, { token: PENDING_DATA_SOURCE, optional: true }],
    useFactory: repositoryState,
  },
  {
    provide: RepositoryWriter,
    inject: [RESOLVED_OPTIONS, RepositoryStateStore],
    useFactory: ({ pds }: ResolvedOptions, state: RepositoryStateStore) =>
      new RepositoryWriter({ state, ...pds, warn: (message) => logger.warn(message) }),
  },
  { provide: ForeignWrites, useFactory: () => new ForeignWrites() },
  {
    provide: SyncEngine,
    inject: [
      RESOLVED_OPTIONS,
      RepositoryWriter,
      RepositoryStateStore,
      SessionProvider,
      ParityEvents,
      ForeignWrites,
    ],
    useFactory: (
      { sync }: ResolvedOptions,
      writer: RepositoryWriter,
      state: RepositoryStateStore,
      sessions: SessionProvider,
      events: ParityEvents,
      foreign: ForeignWrites,
    ) =>
      new SyncEngine({
        writer,
        state,
        sessions,
        events,
        foreign,
        validate: sync.validate,
        warn: (message) => logger.warn(message),
      }),
  },
  {
    provide: PENDING,
    inject: [
      RESOLVED_OPTIONS,
      SyncEngine,
      RepositoryWriter,
      RepositoryStateStore,
      SyncedEntities,
      SessionProvider,
      ParityEvents,
      { token: PENDING_DATA_SOURCE, optional: true },
    ],
    useFactory: (
      options: ResolvedOptions,
      engine: SyncEngine,
      writer: RepositoryWriter,
      state: RepositoryStateStore,
      entities: SyncedEntities,
      sessions: SessionProvider,
      events: ParityEvents,
      dataSource: DataSource | undefined,
    ) => pendingParts(options, { engine, writer, state, entities, sessions, events, dataSource }),
  },
  {
    provide: SyncDispatcher,
    inject: [RESOLVED_OPTIONS, PENDING, SyncEngine, ParityEvents],
    useFactory: (
      options: ResolvedOptions,
      pending: PendingParts | null,
      engine: SyncEngine,
      events: ParityEvents,
    ) => dispatcherOf(options, pending, engine, events),
  },
  {
    provide: INBOUND,
    inject: [
      PARITY_OPTIONS,
      RESOLVED_OPTIONS,
      PENDING,
      SyncedEntities,
      SessionProvider,
      ParityEvents,
      ForeignWrites,
      { token: PENDING_DATA_SOURCE, optional: true },
    ],
    useFactory: (
      given: ParityModuleOptions,
      options: ResolvedOptions,
      pending: PendingParts | null,
      entities: SyncedEntities,
      sessions: SessionProvider,
      events: ParityEvents,
      foreign: ForeignWrites,
      dataSource: DataSource | undefined,
    ) => inboundParts({ given, options, pending, entities, sessions, events, foreign, dataSource }),
  },
  {
    provide: SyncService,
    inject: [SyncedEntities, SyncDispatcher],
    useFactory: (entities: SyncedEntities, dispatcher: SyncDispatcher) =>
      new SyncService(entities, dispatcher, () => currentManagedCall() !== undefined),
  },
  {
    provide: PARITY_HTTP_OPTIONS,
    inject: [PARITY_OPTIONS],
    useFactory: ({ http }: ParityModuleOptions) => resolveHttpOptions(http),
  },
  {
    provide: APP_INTERCEPTOR,
    inject: [RESOLVED_OPTIONS, ParityInterceptor],
    useFactory: ({ sync }: ResolvedOptions, unit: ParityInterceptor) => globalInterceptor(sync.mode, unit),
  },
];

function parityEvents(emitter: EventEmitter2 | undefined): ParityEvents {
  if (!emitter) {
    throw new ParityOptionsError(
      'ParityModule tells what happens through @nestjs/event-emitter, which is not set up: add EventEmitterModule.forRoot() to the ' +
        "imports of your application's root module (or, if it is not global there, to the imports of ParityModule).",
    );
  }
  return new ParityEvents(emitter, (event, error) =>
    logger.error(`A listener of ${event} failed: ${reasonOf(error)}`),
  );
}

async function sessionProvider(
  { sessions }: ParityModuleOptions,
  moduleRef: ModuleRef,
  oauthService: AtpOAuthService | undefined,
): Promise<SessionProvider> {
  if (oauthService) return oauthService;
  if (typeof sessions === 'function') return moduleRef.create(sessions);
  if (sessions && 'useExisting' in sessions) return existingSessions(sessions.useExisting, moduleRef);
  if (typeof sessions?.agentFor === 'function') return sessions;
  if (sessions) {
    throw new ParityOptionsError(
      'sessions takes a class that extends SessionProvider, an instance of one, or { useExisting }; what it got has no agentFor(did).',
    );
  }
  throw new ParityOptionsError(
    'Nobody can write without a session: give ParityModule.forRoot() either oauth: { clientMetadata, … }, or sessions: a ' +
      'SessionProvider (AppPasswordSessionProvider for scripts and bots, or one of your own).',
  );
}

/** Looked up on use: Nest creates providers in an order of its own, so this one may not exist yet. */
function existingSessions(
  token: Type<SessionProvider> | string | symbol,
  moduleRef: ModuleRef,
): SessionProvider {
  const find = (): SessionProvider => moduleRef.get<SessionProvider>(token, { strict: false });
  try {
    find();
  } catch (cause) {
    throw new ParityOptionsError(
      `sessions.useExisting names no provider '${typeof token === 'function' ? token.name : String(token)}': ` +
        'add it to the providers of one of your modules.',
      { cause },
    );
  }
  return {
    agentFor: (did) => find().agentFor(did),
    get sessionId() {
      const provider = find();
      return provider.sessionId?.bind(provider);
    },
  } as SessionProvider;
}
