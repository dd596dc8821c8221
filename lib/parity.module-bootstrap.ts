import {
  Inject,
  Injectable,
  Logger,
  Optional,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { trackChanges } from './changes/change-tracker.js';
import { ChangeFeeds } from './changes/change-feeds.js';
import { EarlyWrites } from './changes/early-writes.js';
import { onClose } from './changes/on-close.js';
import { bindPublisher } from './entities/entity-publisher.js';
import { SignInListener } from './inbound/sign-in.listener.js';
import { ParityOptionsError } from './errors/parity-options.error.js';
import { isMarkedMapper } from './metadata/sync-metadata.js';
import type { ResolvedOptions } from './model/options.js';
import { checkInbound, followsRecords, type InboundParts } from './parity.module-inbound.js';
import type { PendingParts } from './parity.module-pending.js';
import {
  INBOUND,
  LISTED_MAPPERS,
  PENDING,
  PENDING_DATA_SOURCE,
  RESOLVED_OPTIONS,
} from './parity.module-tokens.js';
import { startUpWarnings } from './parity.module-warnings.js';
import { ensureTables } from './pending/database/ensure-tables.js';
import { MapperRegistry } from './records/mapper.registry.js';
import type { RecordMapper } from './records/record-mapper.js';
import { SyncedEntities } from './entities/synced-entities.js';
import type { SyncedEntity } from './entities/synced-entity.js';
import { AtpOAuthService } from './sessions/oauth/atp-oauth.service.js';
import type { EntityWrite } from './sync/change.js';
import { CommittedBatch } from './sync/committed-batch.js';
import { SyncDispatcher } from './sync/sync-dispatcher.js';
import { SyncService } from './sync/sync.service.js';
import { within } from './runtime/within.js';
import { SHUTDOWN_LIMIT } from './sync/shutdown-limit.js';

/**
 * Start-up and shutdown: finds the mappers and the marked entities, checks that they fit together, and
 * follows their DataSources.
 */
@Injectable()
export class ParityBootstrap
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly logger = new Logger('Parity');
  /** By followed DataSource, what undoes that. */
  private readonly tracked = new Map<DataSource, (() => void)[]>();
  /** Writes from before their DataSource was followed. */
  private readonly early: EntityWrite[] = [];
  /** All shutdown hooks share one limit. */
  private shutdownEnd: number | undefined;

  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly discovery: DiscoveryService,
    private readonly mappers: MapperRegistry,
    private readonly entities: SyncedEntities,
    private readonly dispatcher: SyncDispatcher,
    private readonly feeds: ChangeFeeds,
    private readonly earlyWrites: EarlyWrites,
    private readonly sync: SyncService,
    private readonly signIns: SignInListener,
    @Inject(PENDING) private readonly pending: PendingParts | null,
    @Inject(INBOUND) private readonly inbound: InboundParts | null,
    @Optional() @Inject(PENDING_DATA_SOURCE) private readonly ledger: DataSource | null,
    @Optional() @Inject(AtpOAuthService) private readonly oauth: AtpOAuthService | null,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(LISTED_MAPPERS) private readonly listed: Type<RecordMapper>[],
  ) {}

  async onModuleInit(): Promise<void> {
    if (this.pending?.store.durable && this.ledger) await ensureTables(this.ledger);
    await this.oauth?.start();
    this.findMappers();
    const dataSources = this.options.dataSources.map((name) => this.dataSource(name));
    try {
      dataSources.forEach((dataSource, index) =>
        this.track(dataSource, index === 0 ? '' : `${this.options.dataSources[index]}.`),
      );
    } catch (error) {
      dataSources.forEach((dataSource) => this.release(dataSource));
      throw error;
    }
    checkInbound(this.entities, this.inbound);
    this.signIns.isActive = this.inbound !== null && followsRecords(this.entities, this.inbound);
    this.oauth?.afterSignIn((did) => this.signIns.imported(did));
    this.warn();
  }

  /** Runs when session providers and the rest of the application are ready. */
  async onApplicationBootstrap(): Promise<void> {
    this.pending?.loop.start();
    if (this.signIns.isActive) {
      this.inbound?.loop.start();
      this.inbound?.stream?.start();
    }
    await this.dispatcher.afterCommit(new CommittedBatch(this.early.splice(0)));
  }

  /** Stops the work, but capture goes on: requests under way and hooks of other modules still save. */
  async beforeApplicationShutdown(): Promise<void> {
    this.shutdownEnd = performance.now() + SHUTDOWN_LIMIT;
    this.dispatcher.stop();
    await this.drain(
      Promise.all([this.pending?.loop.stop(), this.inbound?.stream?.stop(), this.inbound?.loop.stop()]),
    );
  }

  /**
   * For DataSources that outlive the application. Others are released when they close, which may be after
   * this hook.
   */
  async onApplicationShutdown(): Promise<void> {
    const left = this.options.dataSources
      .filter((name) => !this.isClosedByItsModule(name))
      .map((name) => this.dataSource(name))
      .filter((dataSource) => this.tracked.has(dataSource));
    for (const dataSource of left) {
      await this.beforeClose();
      this.release(dataSource);
    }
  }

  /** `TypeOrmModule` closes its DataSource in its own hook of this name. */
  private isClosedByItsModule(name: string): boolean {
    const token = getDataSourceToken(name);
    const provider = this.discovery.getProviders().find((wrapper) => wrapper.token === token);
    const module = provider?.host?.instance as Partial<OnApplicationShutdown> | undefined;
    return module?.onApplicationShutdown !== undefined;
  }

  /**
   * The OAuth sessions are closed after the work, which needs them, and before the DataSource, which may
   * store them.
   */
  private async beforeClose(): Promise<void> {
    await this.drain();
    await this.oauth?.close();
  }

  private async drain(more?: Promise<unknown>): Promise<void> {
    const now = performance.now();
    const left = Math.max(0, (this.shutdownEnd ?? now + SHUTDOWN_LIMIT) - now);
    await within(left, Promise.all([more, this.dispatcher.drain()]));
  }

  private release(dataSource: DataSource): void {
    const undo = this.tracked.get(dataSource) ?? [];
    this.tracked.delete(dataSource);
    for (const each of undo.toReversed()) each();
  }

  private warn(): void {
    const { entities, mappers, oauth } = this;
    const { dataSources } = this.options;
    const scope = oauth ? (oauth.clientMetadata.scope ?? '') : undefined;
    for (const message of startUpWarnings({ entities, mappers, dataSources, scope }))
      this.logger.warn(message);
  }

  private findMappers(): void {
    const isMapper = (type: unknown): boolean =>
      isMarkedMapper(type) || this.listed.some((listed) => listed === type);
    for (const wrapper of this.discovery.getProviders()) {
      const instance = wrapper.instance as RecordMapper | undefined;
      // By its class, or by the class that it replaces (useValue, useFactory, overrideProvider).
      if (![wrapper.metatype, wrapper.token, instance?.constructor].some(isMapper)) continue;
      if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient || !instance) {
        throw new ParityOptionsError(
          `The mapper ${String(wrapper.name)} is request-scoped or transient (or injects something that is request-scoped); ` +
            `a sync has no request: make it a singleton.`,
        );
      }
      this.mappers.register(instance);
    }
  }

  private dataSource(name: string): DataSource {
    try {
      return this.moduleRef.get<DataSource>(getDataSourceToken(name), { strict: false });
    } catch (cause) {
      throw new ParityOptionsError(
        `There is no DataSource '${name}'. Import TypeOrmModule.forRoot() (with this name, if it is not 'default'), ` +
          `or list the names of yours in ParityModule.forRoot({ dataSources }).`,
        { cause },
      );
    }
  }

  private track(dataSource: DataSource, prefix: string): void {
    const { entities, dispatcher, feeds, options, sync } = this;
    const added = entities.addAll(dataSource, this.mappers, prefix);
    for (const { entity, writes, isIncomplete } of this.earlyWrites.take(dataSource, entities)) {
      this.warnOfEarlyWrites(entity, isIncomplete);
      this.early.push(...writes);
    }
    this.tracked.set(dataSource, [
      onClose(
        dataSource,
        () => this.beforeClose(),
        () => this.release(dataSource),
      ),
      trackChanges({
        dataSource,
        entities,
        dispatcher,
        feeds,
        onBulkWrite: options.onBulkWrite,
        warn: (message) => this.logger.warn(message),
      }),
      ...added.map(({ metadata }) => bindPublisher(metadata.target, sync)),
    ]);
  }

  private warnOfEarlyWrites({ name }: SyncedEntity, isIncomplete: boolean): void {
    this.logger.warn(
      `${name} was written before ParityModule followed it (by the factory of a provider, or an onModuleInit hook that came first). ` +
        `What was saved is synced now, but was not captured with its rows: write it in onApplicationBootstrap instead.` +
        (isIncomplete
          ? ` Rows that were removed, or written without naming them, are found by ParityService.reconcile(${name}).`
          : ''),
    );
  }
}
