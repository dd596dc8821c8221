import type {
  EntitySubscriberInterface,
  InsertEvent,
  ObjectLiteral,
  QueryRunner,
  RecoverEvent,
  RemoveEvent,
  SoftRemoveEvent,
  UpdateEvent,
} from 'typeorm';
import { recordStateOf } from '../metadata/record-state.js';
import { RecordRows } from '../entities/record-row.js';
import type { SyncedEntities } from '../entities/synced-entities.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import type { EntityWrite } from '../sync/change.js';
import { appliedState } from '../sync/network-writes.js';
import type { BulkWritePolicy } from './bulk-write.policy.js';
import type { ChangeFeed } from './change-feed.js';
import { callContext, currentManagedCall } from './call-context.js';
import { idOf, isOfTree, names, reservedKey, type EntityEvent } from './entity-event.js';
import { EventBatches } from './event-batches.js';
import type { InverseUpdates } from './inverse-updates.js';
import type { MarkedClasses } from './marked-classes.js';
import type { RemovalWatch } from './removal-watch.js';

export interface EntityChangeSubscriberOptions {
  readonly target: Function;
  readonly entities: SyncedEntities;
  readonly rows: MarkedClasses;
  readonly feed: ChangeFeed;
  readonly bulk: BulkWritePolicy;
  readonly removals: RemovalWatch;
  readonly inverse: InverseUpdates;
}

/**
 * Hears the life of one marked class and its subclasses. Each class has its own subscriber, because one to
 * all classes would slow down unmarked entities too.
 */
export class EntityChangeSubscriber implements EntitySubscriberInterface<ObjectLiteral> {
  private readonly leaving = new EventBatches<EntityEvent>((events, runner) =>
    this.askLeaving(events, runner),
  );
  private readonly nameless = new EventBatches<EntityEvent>((events, runner) => this.find(events, runner));

  constructor(private readonly options: EntityChangeSubscriberOptions) {}

  listenTo(): Function {
    return this.options.target;
  }

  /**
   * Discards record columns that the caller has given, because a cloned entity must not claim the original's
   * record. Reserves the record key, unless the mapper computes it from the row. A row that is made of a record
   * gets the columns of that record.
   */
  beforeInsert(event: InsertEvent<ObjectLiteral>): void {
    const entity = this.options.entities.find(event.metadata.target);
    if (!entity || !event.entity) return;
    entity.discard(event.entity);
    const applied = appliedState(event.entity);
    if (applied) return entity.show(event.entity, applied);
    entity.show(event.entity, { rkey: reservedKey(entity, event) });
  }

  afterInsert(event: InsertEvent<ObjectLiteral>): Promise<void> | void {
    if (appliedState(event.entity)) return;
    const entity = this.classOf(event);
    if (!entity || callContext().captured?.values.includes(event.entity)) return;
    const id = idOf(entity, event);
    if (id === null) return this.nameless.add(event, event.queryRunner);
    // A query builder's event names no row. The insert may have met an existing row (ON CONFLICT), which has
    // a key of its own.
    const inserted = event.entityId !== undefined;
    const stored = inserted ? entity.rowAfterInsert(event.entity) : undefined;
    return this.reportWrite(entity, id, event, { inserted, stored });
  }

  /**
   * Undefined where the hook has nothing to do: after any hook that runs before a write, TypeORM computes all
   * changes of the write again.
   */
  get beforeUpdate(): (event: UpdateEvent<ObjectLiteral>) => void {
    return (callContext().isAlone ? undefined : this.expectUpdate) as (
      event: UpdateEvent<ObjectLiteral>,
    ) => void;
  }

  afterUpdate(event: UpdateEvent<ObjectLiteral>): Promise<void> | void {
    const { databaseEntity, entity, updatedColumns } = event;
    if (appliedState(entity)) return;
    if (databaseEntity) {
      const known = this.classOf(event);
      const version = currentManagedCall()?.version;
      const row = recordStateOf(databaseEntity);
      return this.written(event, {
        stored:
          entity && !callContext().isUnreloaded
            ? known?.rowAfterUpdate(entity, databaseEntity, updatedColumns)
            : undefined,
        ...(version !== undefined && { before: { row, version } }),
      });
    }
    if (!entity) return this.updatedFromOtherSide(event);
    // This is an update by query builder, in a hook of the application while it saves another entity. With
    // `onBulkWrite: 'throw'` the error rolls that back.
    if (callContext().isAlone) this.bulkWrite(event, 'An update');
  }

  beforeRemove(event: RemoveEvent<ObjectLiteral>): Promise<void> | void {
    if (appliedState(event.entity)) return;
    if (!names(event)) return this.bulkWrite(event, 'A delete');
    if (this.options.rows.classes(event.metadata).length > 0)
      return this.leaving.add(event, event.queryRunner);
  }

  async afterRemove(event: RemoveEvent<ObjectLiteral>): Promise<void> {
    if (!names(event) || appliedState(event.entity)) return;
    const { feed, removals, rows } = this.options;
    for (const entity of rows.classes(event.metadata)) {
      const id = idOf(entity, event);
      if (id === null) continue;
      const removal = removals.take(entity, id, feed.log(event.queryRunner));
      if (removal) await this.reportWrite(entity, id, event, { removal });
    }
  }

  beforeSoftRemove(event: SoftRemoveEvent<ObjectLiteral>): void {
    if (!names(event)) this.bulkWrite(event, 'A soft delete');
  }

  afterSoftRemove(event: SoftRemoveEvent<ObjectLiteral>): Promise<void> | void {
    if (names(event) && !appliedState(event.entity)) return this.written(event);
  }

  beforeRecover(event: RecoverEvent<ObjectLiteral>): void {
    if (!names(event)) this.bulkWrite(event, 'A restore');
  }

  afterRecover(event: RecoverEvent<ObjectLiteral>): Promise<void> | void {
    if (names(event) && !appliedState(event.entity)) return this.written(event);
  }

  private expectUpdate(event: UpdateEvent<ObjectLiteral>): void {
    if (event.entity && !event.databaseEntity) this.bulkWrite(event, 'An update');
    else if (!event.entity) this.options.inverse.expect(event.metadata.target, event.queryRunner);
  }

  private written(event: EntityEvent, more: Partial<EntityWrite> = {}): Promise<void> | void {
    const entity = this.classOf(event);
    const id = entity ? idOf(entity, event) : null;
    if (entity && id !== null && (event.databaseEntity || event.metadata.childEntityMetadatas.length === 0))
      return this.reportWrite(entity, id, event, more);
    if (this.options.rows.classes(event.metadata).length > 0)
      return this.nameless.add(event, event.queryRunner);
  }

  private updatedFromOtherSide(event: EntityEvent): Promise<void> | void {
    const { inverse, rows, bulk } = this.options;
    const { target } = event.metadata;
    const [entity] = rows.classes(event.metadata);
    if (!entity) return;
    const ids = inverse.criteria(target, event.queryRunner).map((one) => entity.idOf(one));
    if (ids.includes(null)) bulk.missed(entity.name, 'An update from the other side of a relation');
    const known = ids.filter((id) => id !== null);
    const named = known.map((id) => this.written({ ...event, entityId: entity.key.mapOf(id) }));
    return Promise.all(named).then(() => undefined);
  }

  /**
   * Looks up what events do not tell: the id of a row that was inserted without reload, or the class of a row
   * that is known by id only.
   */
  private async find(events: readonly EntityEvent[], runner: QueryRunner): Promise<void> {
    const { rows, bulk } = this.options;
    for (const event of events) {
      const [any] = rows.classes(event.metadata);
      const entity = this.classOf(event) ?? any;
      if (!entity) continue;
      const reserved: unknown =
        event.entity && !entity.hasFixedRkey && entity.columns.rkey.getEntityValue(event.entity);
      const id =
        idOf(entity, event) ??
        (typeof reserved === 'string' ? await new RecordRows(entity).idOfKey(runner, reserved) : null);
      if (id === null) bulk.missed(entity.name, 'An insert without its primary key');
      else
        for (const [one, ids] of await rows.ofIds(event.metadata, [id], runner.manager))
          for (const each of ids) await this.reportWrite(one, each, event, {});
    }
  }

  private async askLeaving(events: readonly EntityEvent[], runner: QueryRunner): Promise<void> {
    const { feed, removals, rows } = this.options;
    for (const [metadata, group] of Map.groupBy(events, (event) => event.metadata)) {
      const [any] = rows.classes(metadata);
      const ids = group.map((event) => any && idOf(any, event)).filter((id) => id != null);
      for (const [entity, own] of await rows.ofIds(metadata, ids, runner.manager))
        await removals.ask(entity, own, runner, feed.log(runner));
    }
  }

  private reportWrite(
    entity: SyncedEntity,
    entityId: string,
    { entity: instance, queryRunner }: EntityEvent,
    more: Partial<EntityWrite>,
  ): Promise<void> | void {
    const { inserted = false, stored, before, removal } = more;
    const origin = currentManagedCall();
    const write = { entity, entityId, instance, inserted, stored, before, removal, origin };
    return this.options.feed.touched(write, queryRunner);
  }

  private bulkWrite(event: EntityEvent, what: string): void {
    const { metadata } = event;
    const [entity] = this.options.rows.classes(metadata);
    if (isOfTree(event)) return;
    if (entity && callContext().captured?.target !== metadata.target)
      this.options.bulk.met(entity.name, `${what} by query builder`);
  }

  /** The class of the row is more exact than the class that was written through. */
  private classOf({ databaseEntity, metadata }: EntityEvent): SyncedEntity | undefined {
    const { entities } = this.options;
    return entities.autoSynced(databaseEntity?.constructor) ?? entities.autoSynced(metadata.target);
  }
}
