import type { DataSource, EntityManager, EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { chunks } from '../database/chunks.js';
import type { RecordMapper } from '../records/record-mapper.js';
import type { EntityKey } from './entity-key.js';
import { isComputed, isComplete, neededRelations, withEager, type RelationTree } from './relation-tree.js';
import { isSetByUpdate, snapshotOf } from './row-snapshot.js';
import { readRows } from './whole-rows.js';

/** The rows of one entity class: what is loaded with them, and what the events of TypeORM tell of them. */
export class EntityRows {
  private readonly relations: RelationTree;
  /** The relations that are needed, and those that TypeORM loads unasked. */
  readonly loaded: RelationTree;
  private readonly isComputed: boolean;
  /** Whether a record may be made of other rows, too, of which an instance in memory may be old. */
  readonly hasRelations: boolean;

  constructor(
    private readonly dataSource: DataSource,
    private readonly metadata: EntityMetadata,
    private readonly key: EntityKey,
    mapper: RecordMapper | undefined,
  ) {
    this.relations = neededRelations(metadata, mapper);
    this.loaded = withEager(metadata, this.relations);
    this.isComputed = isComputed(metadata, this.loaded);
    this.hasRelations = Object.values(this.loaded).some(Boolean) || metadata.lazyRelations.length > 0;
  }

  /** Whether the mapper or the entity's functions may read rows of a join table. */
  readsJunction(junction: EntityMetadata): boolean {
    return this.metadata.manyToManyRelations.some(
      ({ junctionEntityMetadata, isLazy, propertyPath }) =>
        junctionEntityMetadata === junction && (isLazy || Boolean(this.loaded[propertyPath])),
    );
  }

  /** Whether the instance has its class, every column and the relations that are needed. */
  isComplete(instance: object): boolean {
    // The entity's functions may read any of the lazy relations.
    return this.metadata.lazyRelations.length === 0 && isComplete(instance, this.metadata, this.loaded);
  }

  /** The row that an insert has made of an instance; undefined where the event does not tell all of it. */
  afterInsert(instance: object): object | undefined {
    return snapshotOf(this.metadata, (column) =>
      column.isInsert ? (column.getEntityValue(instance) as unknown) : undefined,
    );
  }

  /**
   * The row that an update has left; undefined where the event does not tell all of it.
   *
   * @param instance what was saved
   * @param before the row before
   * @param updated what was written to it
   */
  afterUpdate(instance: object, before: object, updated: readonly ColumnMetadata[]): object | undefined {
    // TypeORM lists a changed column as updated even if `update: false` keeps it from being written.
    const isWritten = (column: ColumnMetadata): boolean => column.isUpdate && updated.includes(column);
    return snapshotOf(this.metadata, (column): unknown =>
      column.getEntityValue(isWritten(column) || isSetByUpdate(column) ? instance : before),
    );
  }

  /**
   * Whether something is computed when a row is loaded. An instance that was written lacks it, or has the
   * value of the row before.
   */
  get hasLoadHooks(): boolean {
    return this.isComputed || this.dataSource.subscribers.some(({ afterLoad }) => afterLoad);
  }

  /**
   * Whole instances by id, soft-deleted ones included. Soft-deleted rows that are related to an instance
   * which is not soft-deleted are left out.
   */
  async load(ids: readonly string[], manager: EntityManager): Promise<Map<string, object>> {
    const found = new Map<string, object>();
    const { relations } = this;
    const read = async (some: readonly string[], withDeleted: boolean): Promise<void> => {
      const where = this.key.whereIds(some);
      for (const row of await readRows(this.metadata, manager, { where, relations, withDeleted }))
        found.set(this.key.idOf(row) ?? '', row);
    };
    for (const chunk of chunks(ids, 500)) {
      await read(chunk, false);
      const gone = this.metadata.deleteDateColumn ? chunk.filter((id) => !found.has(id)) : [];
      if (gone.length > 0) await read(gone, true);
    }
    return found;
  }
}
