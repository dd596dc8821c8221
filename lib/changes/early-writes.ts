import type {
  DataSource,
  EntitySubscriberInterface,
  InsertEvent,
  ObjectLiteral,
  RecoverEvent,
  RemoveEvent,
  SoftRemoveEvent,
  UpdateEvent,
} from 'typeorm';
import { dataSourceOf } from '../database/data-source-of.js';
import { recordColumnNamesOf, syncMetadataOf } from '../metadata/sync-metadata.js';
import type { SyncedEntities } from '../entities/synced-entities.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { entityWriteOf, type EntityWrite } from '../sync/change.js';
import { idOf, type EntityEvent } from './entity-event.js';

export interface EarlyClass {
  readonly entity: SyncedEntity;
  readonly writes: readonly EntityWrite[];
  /** Some writes named no row, or removed one before its record was known. */
  readonly isIncomplete: boolean;
}

/**
 * Hears writes from before the module can follow entities, while mappers and other DataSources are still
 * being made: in factories of providers, and in `onModuleInit` hooks that run earlier.
 */
export class EarlyWrites implements EntitySubscriberInterface<ObjectLiteral> {
  private readonly events: EntityEvent[] = [];

  constructor(dataSources: readonly DataSource[]) {
    for (const { subscribers } of dataSources) subscribers.push(this);
  }

  beforeInsert({ metadata, entity }: InsertEvent<ObjectLiteral>): void {
    if (!isFollowed(metadata.target) || !entity) return;
    for (const name of Object.values(recordColumnNamesOf(metadata.target as object)) as string[])
      metadata.findColumnWithPropertyName(name)?.setEntityValue(entity, undefined);
  }

  afterInsert(event: InsertEvent<ObjectLiteral>): void {
    this.note(event);
  }

  afterUpdate(event: UpdateEvent<ObjectLiteral>): void {
    this.note(event);
  }

  afterRemove({ queryRunner, manager, metadata }: RemoveEvent<ObjectLiteral>): void {
    this.note({ queryRunner, manager, metadata });
  }

  afterSoftRemove(event: SoftRemoveEvent<ObjectLiteral>): void {
    this.note(event);
  }

  afterRecover(event: RecoverEvent<ObjectLiteral>): void {
    this.note(event);
  }

  /**
   * Stops listening to a DataSource.
   *
   * @returns what was written to it so far
   */
  take(dataSource: DataSource, entities: SyncedEntities): EarlyClass[] {
    const { subscribers } = dataSource;
    if (subscribers.includes(this)) subscribers.splice(subscribers.indexOf(this), 1);
    const events = this.events.filter(({ queryRunner }) => dataSourceOf(queryRunner) === dataSource);
    return [...Map.groupBy(events, ({ metadata }) => entities.autoSynced(metadata.target))].flatMap(
      ([entity, group]) => {
        if (!entity) return [];
        const ids = group.map((event) => idOf(entity, event));
        const known = new Set(ids.filter((id) => id !== null));
        const writes = [...known].map((entityId) => entityWriteOf(entity, entityId));
        return [{ entity, writes, isIncomplete: ids.includes(null) }];
      },
    );
  }

  private note(event: EntityEvent): void {
    if (isFollowed(event.metadata.target)) this.events.push(event);
  }
}

const isFollowed = (target: unknown): boolean => syncMetadataOf(target)?.level === 'auto';
