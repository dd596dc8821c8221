import type { EntityManager, EntityMetadata, FindOneOptions, FindOptionsWhere } from 'typeorm';
import type { SyncedEntities } from '../entities/synced-entities.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { readRows } from '../entities/whole-rows.js';

type Where = FindOptionsWhere<object> | FindOptionsWhere<object>[];
type Relation = EntityMetadata['relations'][number];

const cascades = ({
  isCascadeInsert,
  isCascadeUpdate,
  isCascadeSoftRemove,
  isCascadeRecover,
}: Relation): boolean => isCascadeInsert || isCascadeUpdate || isCascadeSoftRemove || isCascadeRecover;

/**
 * Tells which marked class a row belongs to. In a single-table hierarchy, the class that was written through
 * need not be the class of the row.
 */
export class MarkedClasses {
  private readonly reached = new WeakMap<EntityMetadata, boolean>();
  private readonly alone = new WeakMap<EntityMetadata, boolean>();

  constructor(private readonly entities: SyncedEntities) {}

  /** The marked classes among a class and, in a single table, its children. */
  classes(metadata: EntityMetadata): SyncedEntity[] {
    return [metadata, ...metadata.childEntityMetadatas]
      .map(({ target }) => this.entities.autoSynced(target))
      .filter((entity) => entity !== undefined);
  }

  /**
   * Whether saving or removing an entity of this class can write an entity of a marked class through its
   * relations.
   */
  reaches(metadata: EntityMetadata): boolean {
    let reaches = this.reached.get(metadata);
    if (reaches === undefined) {
      const seen = new Set([metadata]);
      for (const each of seen) {
        for (const { inverseEntityMetadata } of each.relations) seen.add(inverseEntityMetadata);
        for (const child of each.childEntityMetadatas) seen.add(child);
      }
      reaches = [...seen].some((each) => this.classes(each).length > 0);
      this.reached.set(metadata, reaches);
    }
    return reaches;
  }

  /**
   * Whether this class is marked, and saving one of its entities writes no other row: it owns all its
   * relations, and cascades none.
   */
  isAlone(metadata: EntityMetadata): boolean {
    let isAlone = this.alone.get(metadata);
    if (isAlone === undefined) {
      isAlone =
        this.classes(metadata).length > 0 &&
        metadata.childEntityMetadatas.length === 0 &&
        metadata.relations.every((one) => one.isOwning && !one.isManyToMany && !cascades(one));
      this.alone.set(metadata, isAlone);
    }
    return isAlone;
  }

  /** The ids by class. Without a query where the class alone decides. */
  async ofIds(
    metadata: EntityMetadata,
    ids: readonly string[],
    manager: EntityManager,
  ): Promise<Map<SyncedEntity, string[]>> {
    const [entity] = this.classes(metadata);
    if (!entity) return new Map();
    if (metadata.childEntityMetadatas.length === 0) return new Map([[entity, [...ids]]]);
    return this.matching(metadata, entity.key.whereIds(ids), manager);
  }

  /**
   * The ids of the rows that match, by class. With a lock, the rows stay as they are until the transaction
   * ends.
   */
  async matching(
    metadata: EntityMetadata,
    where: Where,
    manager: EntityManager,
    lock?: FindOneOptions['lock'],
  ): Promise<Map<SyncedEntity, string[]>> {
    const rows = await readRows(metadata, manager, {
      where,
      withDeleted: true,
      loadEagerRelations: false,
      ...(lock && { lock }),
    });
    const found = new Map<SyncedEntity, string[]>();
    for (const row of rows) {
      const entity = this.entities.autoSynced(row.constructor);
      const id = entity?.idOf(row) ?? null;
      if (!entity || id === null) continue;
      const ids = found.get(entity);
      if (ids) ids.push(id);
      else found.set(entity, [id]);
    }
    return found;
  }
}
