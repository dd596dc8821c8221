import type {
  EntityManager,
  EntityMetadata,
  EntitySubscriberInterface,
  InsertEvent,
  ObjectLiteral,
  QueryRunner,
  RecoverEvent,
  RemoveEvent,
  SoftRemoveEvent,
  UpdateEvent,
} from 'typeorm';
import { MapperError } from '../errors/mapper.error.js';
import type { SyncedEntities } from '../records/synced-entities.js';
import type { SyncedEntity } from '../records/synced-entity.js';
import type { Touch } from '../sync/change.js';
import type { BulkWritePolicy } from './bulk-write.policy.js';
import type { ChangeFeed } from './change-feed.js';
import { areRowsCaptured, currentScope } from './commit-scope.js';
import { RemovalWatch } from './removal-watch.js';

interface EntityEvent {
  readonly metadata: EntityMetadata;
  readonly manager: EntityManager;
  readonly queryRunner: QueryRunner;
  readonly entity?: ObjectLiteral | undefined;
  readonly databaseEntity?: ObjectLiteral | undefined;
}

/** Hears the life of one marked class and its subclasses. One per class, because a subscriber to all would slow every entity down. */
export class EntityChangeSubscriber implements EntitySubscriberInterface<ObjectLiteral> {
  private readonly removals = new RemovalWatch();

  constructor(
    private readonly target: Function,
    private readonly entities: SyncedEntities,
    private readonly feed: ChangeFeed,
    private readonly bulk: BulkWritePolicy,
  ) {}

  listenTo(): Function {
    return this.target;
  }

  /** Reserves the record key, and discards what was given: a cloned entity must not claim the original's record. */
  beforeInsert(event: InsertEvent<ObjectLiteral>): void {
    const entity = this.entities.find(event.metadata.target);
    if (!entity || !event.entity || areRowsCaptured()) return;
    entity.show(event.entity, { uri: null, cid: null, syncedAt: null, rkey: reservedKey(entity, event) });
  }

  afterInsert(event: InsertEvent<ObjectLiteral>): Promise<void> | void {
    return this.written(event, 'An insert', true);
  }

  beforeUpdate(event: UpdateEvent<ObjectLiteral>): void {
    if (!event.databaseEntity) this.bulkWrite(event, 'An update');
  }

  afterUpdate(event: UpdateEvent<ObjectLiteral>): Promise<void> | void {
    if (event.databaseEntity) return this.written(event, 'An update');
  }

  beforeRemove(event: RemoveEvent<ObjectLiteral>): Promise<void> | void {
    const row = event.databaseEntity ?? event.entity;
    if (!row) return this.bulkWrite(event, 'A delete');
    const entity = this.autoSynced(event);
    const id = entity?.idOf(row);
    if (entity && id)
      return this.removals.ask(entity, id, event.queryRunner, this.feed.log(event.queryRunner));
  }

  afterRemove(event: RemoveEvent<ObjectLiteral>): Promise<void> | void {
    const entity = this.autoSynced(event);
    const row = event.databaseEntity ?? event.entity;
    const id = entity && (entity.idOf(asKey(event.entityId, entity)) ?? (row && entity.idOf(row)));
    if (!entity || !id) return;
    const log = this.feed.log(event.queryRunner);
    const removal = this.removals.take(entity, id, log);
    return removal && this.feed.touched({ ...touch(entity, id, event.entity), removal }, event.queryRunner);
  }

  beforeSoftRemove(event: SoftRemoveEvent<ObjectLiteral>): void {
    if (!event.entity && !event.databaseEntity) this.bulkWrite(event, 'A soft delete');
  }

  afterSoftRemove(event: SoftRemoveEvent<ObjectLiteral>): Promise<void> | void {
    if (event.entity ?? event.databaseEntity) return this.written(event, 'A soft delete');
  }

  beforeRecover(event: RecoverEvent<ObjectLiteral>): void {
    if (!event.entity && !event.databaseEntity) this.bulkWrite(event, 'A restore');
  }

  afterRecover(event: RecoverEvent<ObjectLiteral>): Promise<void> | void {
    if (event.entity ?? event.databaseEntity) return this.written(event, 'A restore');
  }

  private written(event: EntityEvent, what: string, inserted = false): Promise<void> | void {
    const entity = this.autoSynced(event);
    if (!entity || areRowsCaptured()) return;
    const id =
      (event.entity && entity.idOf(event.entity)) ??
      (event.databaseEntity && entity.idOf(event.databaseEntity));
    if (!id) return this.bulk.met(entity.name, what);
    return this.feed.touched({ ...touch(entity, id, event.entity), inserted }, event.queryRunner);
  }

  private bulkWrite(event: EntityEvent, what: string): void {
    const entity = this.autoSynced(event);
    if (entity) this.bulk.met(entity.name, what);
  }

  private autoSynced(event: EntityEvent): SyncedEntity | undefined {
    const entity = this.entities.find(event.metadata.target);
    return entity?.sync.level === 'auto' && entity.mapper ? entity : undefined;
  }
}

const touch = (entity: SyncedEntity, entityId: string, instance: object | undefined): Touch => ({
  entity,
  entityId,
  instance,
  inserted: false,
  removal: undefined,
  origin: currentScope(),
});

/** The id of a removed entity comes as a map, or as the bare value of a single key. */
const asKey = (id: unknown, entity: SyncedEntity): object => {
  if (typeof id === 'object' && id !== null && !(id instanceof Date)) return id;
  const [column] = entity.metadata.primaryColumns;
  return column && id !== undefined ? column.createValueMap(id) : {};
};

function reservedKey(entity: SyncedEntity, { entity: given, manager, metadata }: EntityEvent): string | null {
  if (!given) return null;
  const { target } = metadata;
  const isInstance = typeof target === 'function' && given instanceof target;
  try {
    return entity.newRkey(isInstance ? given : manager.create(target, given));
  } catch (error) {
    // The row is saved without a key; the sync that follows meets the error again, and reports it.
    if (error instanceof MapperError) return null;
    throw error;
  }
}
