import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { trackChanges } from './changes/change-tracker.js';
import { bindPublisher } from './entity/entity-publisher.js';
import { ParityOptionsError } from './errors/parity-options.error.js';
import { isMarkedMapper } from './metadata/sync-metadata.js';
import type { ResolvedOptions } from './model/options.js';
import { LISTED_MAPPERS } from './parity.module-definition.js';
import { RESOLVED_OPTIONS } from './parity.providers.js';
import { MapperRegistry } from './records/mapper.registry.js';
import type { RecordMapper } from './records/record-mapper.js';
import { SyncedEntities } from './records/synced-entities.js';
import type { SyncedEntity } from './records/synced-entity.js';
import { SyncDispatcher } from './sync/sync-dispatcher.js';
import { SyncService } from './sync/sync.service.js';

/** Start-up and shutdown: finds the mappers and the marked entities, checks that they fit, and listens to their DataSources. */
@Injectable()
export class ParityBootstrap implements OnModuleInit, BeforeApplicationShutdown {
  private readonly logger = new Logger('Parity');
  private undo: (() => void)[] = [];

  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly discovery: DiscoveryService,
    private readonly mappers: MapperRegistry,
    private readonly entities: SyncedEntities,
    private readonly dispatcher: SyncDispatcher,
    private readonly sync: SyncService,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(LISTED_MAPPERS) private readonly listed: Type<RecordMapper>[],
  ) {}

  onModuleInit(): void {
    this.findMappers();
    for (const name of this.options.dataSources) this.track(this.dataSource(name));
  }

  /** After the servers stopped taking requests, before the DataSources close. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.dispatcher.drain();
    for (const undo of this.undo.splice(0).reverse()) undo();
  }

  private findMappers(): void {
    for (const { metatype, instance, isDependencyTreeStatic, name } of this.discovery
      .getProviders()
      .map((wrapper) => ({
        metatype: wrapper.metatype,
        instance: wrapper.instance as RecordMapper | undefined,
        isDependencyTreeStatic: wrapper.isDependencyTreeStatic(),
        name: String(wrapper.name),
      }))) {
      if (!isMarkedMapper(metatype) && !this.listed.some((listed) => listed === metatype)) continue;
      if (!isDependencyTreeStatic || !instance) {
        throw new ParityOptionsError(
          `The mapper ${name} is request-scoped (or injects something that is); a sync has no request: make it a singleton.`,
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

  private track(dataSource: DataSource): void {
    const { entities, dispatcher, options, sync } = this;
    const added = entities.addAll(dataSource, this.mappers);
    added.forEach((entity) => this.warnOfCascades(entity));
    this.undo.push(
      trackChanges({
        dataSource,
        entities,
        dispatcher,
        onBulkWrite: options.onBulkWrite,
        warn: (message) => this.logger.warn(message),
      }),
      ...added.map(({ metadata }) => bindPublisher(metadata.target, sync)),
    );
  }

  private warnOfCascades({ name, sync, metadata }: SyncedEntity): void {
    if (sync.level !== 'auto') return;
    for (const relation of metadata.foreignKeys.filter(({ onDelete }) => onDelete === 'CASCADE')) {
      const property = relation.columns
        .map((column) => column.relationMetadata?.propertyName ?? column.propertyName)
        .join(', ');
      this.logger.warn(
        `${name}.${property} has onDelete: 'CASCADE': when the database deletes rows with their ` +
          `${relation.referencedEntityMetadata.name}, no event tells, and their records stay. Remove the ${name}s first, or run ` +
          `ParityService.reconcile(${name}) afterwards.`,
      );
    }
  }
}
