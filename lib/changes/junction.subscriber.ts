import type {
  EntityMetadata,
  EntitySubscriberInterface,
  InsertEvent,
  ObjectLiteral,
  QueryRunner,
  RemoveEvent,
} from 'typeorm';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { entityWriteOf, type EntityWrite } from '../sync/change.js';
import type { BulkWritePolicy } from './bulk-write.policy.js';
import type { ChangeFeed } from './change-feed.js';
import { currentManagedCall } from './call-context.js';
import type { MarkedClasses } from './marked-classes.js';

export interface JunctionSubscriberOptions {
  readonly entities: readonly SyncedEntity[];
  readonly rows: MarkedClasses;
  readonly feed: ChangeFeed;
  readonly bulk: BulkWritePolicy;
}

type Side = EntityMetadata['ownerColumns'];

/**
 * Hears the rows of join tables: saving `post.tags` changes what the post's mapper reads, and raises no event
 * of the post. It has no hooks that run before a write, because those would slow down every save.
 */
export class JunctionSubscriber implements EntitySubscriberInterface<ObjectLiteral> {
  /** By join table, its sides whose entities read the relation. */
  private readonly sides = new Map<EntityMetadata, Side[]>();

  constructor(private readonly options: JunctionSubscriberOptions) {
    for (const { metadata } of options.entities.filter((entity) => entity.sync.level === 'auto'))
      for (const { junctionEntityMetadata: junction, isOwning } of metadata.manyToManyRelations)
        if (junction && options.entities.some((entity) => entity.readsJunction(junction)))
          this.watch(junction, isOwning ? junction.ownerColumns : junction.inverseColumns);
  }

  get isNeeded(): boolean {
    return this.sides.size > 0;
  }

  afterInsert({ metadata, entityId, entity, queryRunner }: InsertEvent<ObjectLiteral>): Promise<void> | void {
    return this.changed(metadata, (entityId as unknown) ?? entity, queryRunner);
  }

  afterRemove({ metadata, entityId, queryRunner }: RemoveEvent<ObjectLiteral>): Promise<void> | void {
    return this.changed(metadata, entityId, queryRunner);
  }

  private watch(junction: EntityMetadata, side: Side): void {
    const sides = this.sides.get(junction);
    if (!sides) this.sides.set(junction, [side]);
    else if (!sides.includes(side)) sides.push(side);
  }

  private changed(junction: EntityMetadata, row: unknown, runner: QueryRunner): Promise<void> | void {
    const sides = this.sides.get(junction);
    if (sides) return this.reportSides(junction, sides, row, runner);
  }

  private async reportSides(
    junction: EntityMetadata,
    sides: readonly Side[],
    row: unknown,
    runner: QueryRunner,
  ): Promise<void> {
    const { rows, feed, bulk } = this.options;
    for (const side of sides) {
      const metadata = side[0]!.referencedColumn!.entityMetadata;
      const [any] = rows.classes(metadata);
      if (!any) continue;
      const key: ObjectLiteral = {};
      if (typeof row === 'object' && row !== null)
        for (const column of side) column.referencedColumn?.setEntityValue(key, column.getEntityValue(row));
      const id = any.idOf(key);
      if (id === null) {
        bulk.missed(any.name, `A change of ${junction.tableName}`);
        continue;
      }
      for (const [entity, ids] of await rows.ofIds(metadata, [id], runner.manager))
        if (entity.readsJunction(junction) && !isWritten(entity, id, feed.log(runner).pending))
          for (const each of ids)
            await feed.touched(entityWriteOf(entity, each, { origin: currentManagedCall() }), runner);
    }
  }
}

const isWritten = (entity: SyncedEntity, id: string, pending: readonly EntityWrite[]): boolean =>
  pending.some((write) => write.entity === entity && write.entityId === id && !write.removal);
