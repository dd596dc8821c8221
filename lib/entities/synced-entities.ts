import type { DataSource, EntityMetadata } from 'typeorm';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { ownSyncNameOf, syncMetadataOf } from '../metadata/sync-metadata.js';
import { checkKey } from './checked-key.js';
import { checkRelations } from './relation-tree.js';
import type { EntityClass } from '../records/record-mapper.js';
import type { MapperRegistry } from '../records/mapper.registry.js';
import { refuseClassless, recordColumnsOf } from './record-columns.js';
import { SyncedEntity } from './synced-entity.js';
import { UnknownClass } from './unknown-class.js';

/** The marked entity classes of all DataSources. */
export class SyncedEntities {
  private readonly byClass = new Map<unknown, SyncedEntity>();
  private readonly byStoredName = new Map<string, SyncedEntity>();
  private readonly unknown = new Map<string, SyncedEntity>();
  private first: DataSource | undefined;

  /** @param timeoutMs milliseconds that mappers and the entities' own functions have for an answer */
  constructor(private readonly timeoutMs?: number) {}

  /**
   * Adds the marked classes of a DataSource.
   *
   * @param prefix of stored names that come from table names
   * @throws ParityOptionsError that says what is missing, and the fix
   */
  addAll(dataSource: DataSource, mappers: MapperRegistry, prefix = ''): SyncedEntity[] {
    this.first ??= dataSource;
    const added: SyncedEntity[] = [];
    for (const metadata of dataSource.entityMetadatas) {
      refuseClassless(metadata);
      const sync = syncMetadataOf(metadata.target);
      if (!sync || metadata.tableType === 'junction') continue;
      if (this.byClass.has(metadata.target) || this.all().some(({ name }) => name === metadata.name)) {
        throw new ParityOptionsError(
          `The entity ${metadata.name} is marked and registered twice (two DataSources, or two classes of one name). ` +
            `Its publish() could not tell them apart: give each DataSource a class of its own name.`,
          { entityName: metadata.name },
        );
      }
      checkKey(dataSource, metadata);
      const mapper = mappers.forEntity(metadata.target as EntityClass);
      if (!mapper && sync.level === 'auto' && !isAbstract(metadata)) throw missingMapper(metadata.name);
      if (mapper) checkRelations(metadata, mapper);
      const storedName = ownSyncNameOf(metadata.target as object) ?? prefix + tableNameOf(metadata);
      const entity = new SyncedEntity(
        dataSource,
        metadata,
        sync,
        recordColumnsOf(metadata),
        mapper,
        storedName,
        this.timeoutMs,
      );
      const other = this.byStoredName.get(storedName);
      if (other) throw sameStoredName(entity, other);
      for (const known of this.all()) {
        if (!areNeighbours(known, entity)) continue;
        known.neighbours.push(entity);
        entity.neighbours.push(known);
      }
      this.byClass.set(metadata.target, entity);
      this.byStoredName.set(storedName, entity);
      added.push(entity);
    }
    return added;
  }

  /**
   * @throws ParityOptionsError for an entity that is not marked, or of no DataSource that the module knows
   */
  of(entityOrClass: object): SyncedEntity {
    if (Object(entityOrClass) !== entityOrClass)
      throw new ParityOptionsError(
        `${String(entityOrClass)} is no entity; give an instance of a marked class.`,
      );
    const entityClass = typeof entityOrClass === 'function' ? entityOrClass : entityOrClass.constructor;
    const found = this.byClass.get(entityClass);
    if (found) return found;
    throw new ParityOptionsError(
      `${entityClass.name} is no marked entity of a DataSource that ParityModule knows. Mark the class with @HasAtpRecord(), ` +
        `@PublishesRecords() or @AutoSyncsWithAtp(), and name its DataSource in forRoot({ dataSources }).`,
      { entityName: entityClass.name },
    );
  }

  find(target: unknown): SyncedEntity | undefined {
    return this.byClass.get(target);
  }

  /** A class whose entities the module publishes by itself. */
  autoSynced(target: unknown): SyncedEntity | undefined {
    const entity = this.find(target);
    return entity?.sync.level === 'auto' && entity.mapper ? entity : undefined;
  }

  /** The class whose changes are kept under a name; undefined where this process does not know it. */
  stored(name: string): SyncedEntity | undefined {
    return this.byStoredName.get(name);
  }

  /** Stands in for a class that {@link stored} does not know. */
  unknownClass(name: string): SyncedEntity {
    if (!this.first) throw new ParityOptionsError('ParityModule has no DataSource yet.');
    const entity = this.unknown.get(name) ?? new UnknownClass(name, this.first);
    this.unknown.set(name, entity);
    return entity;
  }

  /** The name of a class that people know it by. */
  readonly nameOf = (storedName: string): string => this.stored(storedName)?.name ?? storedName;

  all(): SyncedEntity[] {
    return [...this.byClass.values()];
  }
}

/** The root of a single-table hierarchy may have mappers for its children only. */
const isAbstract = (metadata: EntityMetadata): boolean => metadata.childEntityMetadatas.length > 0;

const areNeighbours = (one: SyncedEntity, other: SyncedEntity): boolean =>
  one.dataSource === other.dataSource &&
  one.mapper !== undefined &&
  other.mapper !== undefined &&
  (one.metadata.tablePath === other.metadata.tablePath || one.mapper.collection === other.mapper.collection);

/** Stays when a class is renamed, or its code is minified. */
const tableNameOf = ({ tableName, tableType, discriminatorValue }: EntityMetadata): string =>
  tableType === 'entity-child' ? `${tableName}:${discriminatorValue}` : tableName;

const sameStoredName = ({ name, storedName }: SyncedEntity, other: SyncedEntity): ParityOptionsError =>
  new ParityOptionsError(
    `The changes of ${other.name} and of ${name} would both be kept under the name '${storedName}'. ` +
      `Give one of them another: @AutoSyncsWithAtp({ name: '...' }).`,
    { entityName: name },
  );

const missingMapper = (name: string): ParityOptionsError =>
  new ParityOptionsError(
    `${name} is marked with @AutoSyncsWithAtp(), but has no mapper. Write a class that extends RecordMapper with ` +
      `'readonly entity = ${name}', decorate it with @AtpMapper(), and provide it in a module or list it in forRoot({ mappers }).`,
    { entityName: name },
  );
