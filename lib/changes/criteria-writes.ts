import {
  In,
  type DataSource,
  type EntityManager,
  type EntityMetadata,
  type FindOneOptions,
  type FindOptionsWhere,
  type ObjectLiteral,
} from 'typeorm';
import { dataSourceOf } from '../database/data-source-of.js';
import { capabilitiesOf } from '../database/capabilities.js';
import { locksRows } from '../database/sql-script.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { entityWriteOf } from '../sync/change.js';
import type { BulkWritePolicy } from './bulk-write.policy.js';
import type { ChangeFeed } from './change-feed.js';
import { currentManagedCall, during } from './call-context.js';
import type { MarkedClasses } from './marked-classes.js';
import type { RemovalWatch } from './removal-watch.js';

/** How many rows one statement names. A server takes at most 65,535 parameters. */
const MAX_NAMED = 5_000;

interface Found {
  /** Ids by class. */
  readonly found: Map<SyncedEntity, string[]>;
  /** What the write is called with in place of its own criteria. */
  readonly criteria: unknown;
}

/** A writing method of an entity manager, whatever its signature. */
export type WriteMethod = (...args: unknown[]) => Promise<unknown>;

/**
 * Finds the rows of `repository.update(criteria)` and the like, for which TypeORM's events name none. It
 * reads them by the criteria before the write, in the same transaction.
 */
export class CriteriaWrites {
  constructor(
    private readonly feed: ChangeFeed,
    private readonly rows: MarkedClasses,
    private readonly removals: RemovalWatch,
    private readonly bulk: BulkWritePolicy,
  ) {}

  /** @param manager of an open transaction */
  run(
    metadata: EntityMetadata,
    manager: EntityManager,
    name: string,
    write: WriteMethod,
    args: unknown[],
  ): Promise<unknown> {
    // The events of an insert name its rows.
    if (name === 'insert') return write(...args);
    if (name === 'upsert') return this.upsert(metadata, manager, write, args);
    return this.byCriteria(metadata, manager, name, write, args);
  }

  private async byCriteria(
    metadata: EntityMetadata,
    manager: EntityManager,
    name: string,
    write: WriteMethod,
    args: unknown[],
  ): Promise<unknown> {
    const { found, criteria } = await this.find(metadata, manager, args[1]);
    const log = this.feed.log(manager.queryRunner!);
    if (name === 'delete') {
      for (const [entity, ids] of found) await this.removals.ask(entity, ids, manager.queryRunner!, log);
    }
    const result = await during({ captured: { target: metadata.target, values: [] } }, () =>
      write(...args.with(1, criteria)),
    );
    let count = 0;
    for (const [entity, ids] of found) {
      count += ids.length;
      for (const id of ids) {
        const removal = this.removals.take(entity, id, log);
        const now = name === 'update' ? entity.key.idAfter(id, args[2] as object) : id;
        if (now === null) this.bulk.missed(entity.name, 'An update of its primary key by SQL');
        else if (name !== 'delete' || removal) await this.reportWrite(entity, now, manager, removal);
      }
    }
    const { affected } = (result ?? {}) as { affected?: number | null };
    if (metadata.childEntityMetadatas.length === 0 && affected != null && affected > count) {
      this.bulk.missed(
        metadata.name,
        `${name}() met ${affected - count} row(s) that were committed meanwhile`,
      );
    }
    return result;
  }

  private async find(metadata: EntityMetadata, manager: EntityManager, criteria: unknown): Promise<Found> {
    const [key, ...others] = metadata.primaryColumns;
    const keys = [criteria].flat() as unknown[];
    const { options } = dataSourceOf(manager.queryRunner!);
    const { invalidWhereValuesBehavior: behavior } = options;
    if (isEmpty(criteria, behavior?.null === 'sql-null' ? 'are-criteria' : 'are-none') || !key)
      return { found: new Map(), criteria };
    if (!keys.every(isKey))
      return this.lock(metadata, manager, criteria as FindOptionsWhere<object>, criteria);
    if (others.length > 0) return { found: new Map(), criteria };
    // Other keys may be written differently in the criteria than in the row: a UUID in capitals, a text in a
    // column that ignores case.
    if (!key.isGenerated || !keys.every(Number.isSafeInteger))
      return this.lock(metadata, manager, key.createValueMap(In(keys)) as FindOptionsWhere<object>, criteria);
    return { found: await this.rows.ofIds(metadata, [...new Set(keys.map(String))], manager), criteria };
  }

  /**
   * Between this read and the write, another transaction may commit rows that match, or change rows so that
   * they no longer match. So the rows that are found are locked, and the write names exactly these, as if all
   * of it happened at the time of the read.
   */
  private async lock(
    metadata: EntityMetadata,
    manager: EntityManager,
    where: FindOptionsWhere<object>,
    criteria: unknown,
  ): Promise<Found> {
    const dataSource = dataSourceOf(manager.queryRunner!);
    // In a hierarchy the criteria also match rows of unmarked classes, which are not among the rows found. A
    // write by id would leave those out.
    const isLocked = locksRows(dataSource) && metadata.childEntityMetadatas.length === 0;
    const lock = isLocked ? lockOf(dataSource, metadata) : undefined;
    const found = await this.rows.matching(metadata, where, manager, lock);
    const [entity] = this.rows.classes(metadata);
    const ids = [...found.values()].flat();
    if (!isLocked || !entity || ids.length > MAX_NAMED) return { found, criteria };
    const exactly = entity.key.whereIds(ids);
    return { found, criteria: ids.length === 0 ? criteria : exactly };
  }

  private async upsert(
    metadata: EntityMetadata,
    manager: EntityManager,
    write: WriteMethod,
    args: unknown[],
  ): Promise<unknown> {
    const values = [args[1]].flat() as ObjectLiteral[];
    const [any] = this.rows.classes(metadata);
    // Otherwise an upsert that meets an existing row would overwrite its record columns, or show values on
    // the instance that the row does not have.
    const discard = (): void => values.forEach((value) => any?.discard(value));
    discard();
    const result = await during({ captured: { target: metadata.target, values } }, () => write(...args));
    discard();
    const columns = conflictPaths(args[2]).flatMap((path) => metadata.findColumnsWithPropertyPath(path));
    const where = values.map((value) => {
      const conflict = columns.filter((column) => column.getEntityValue(value) != null);
      // A null conflicts with no row, so this value was inserted and is found by its primary key.
      const told = conflict.length === columns.length ? columns : metadata.primaryColumns;
      return Object.assign(
        {},
        ...told.map((column) =>
          column.createValueMap(any?.key.asInRow(column.getEntityValue(value), column)),
        ),
      ) as object;
    });
    for (const [entity, ids] of await this.rows.matching(metadata, where, manager)) {
      for (const id of new Set(ids)) await this.reportWrite(entity, id, manager, undefined);
    }
    return result;
  }

  private reportWrite(
    entity: SyncedEntity,
    entityId: string,
    manager: EntityManager,
    removal: ReturnType<RemovalWatch['take']>,
  ): Promise<void> | void {
    const write = entityWriteOf(entity, entityId, { removal, origin: currentManagedCall() });
    return this.feed.touched(write, manager.queryRunner!);
  }
}

/**
 * The lock that an update itself takes, so that transactions which insert a foreign key to the row do not
 * wait. Rows that the criteria join are not locked.
 */
const lockOf = (
  dataSource: DataSource,
  { tableNameWithoutPrefix }: EntityMetadata,
): FindOneOptions['lock'] =>
  capabilitiesOf(dataSource).hasWeakLocks
    ? { mode: 'for_no_key_update', tables: [tableNameWithoutPrefix] }
    : { mode: 'pessimistic_write' };

const isKey = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'number' || value instanceof Date;

/** Criteria without a condition would write all rows. TypeORM refuses them, so no rows are looked up. */
const isEmpty = (criteria: unknown, nulls: 'are-criteria' | 'are-none'): boolean =>
  criteria == null ||
  criteria === '' ||
  [criteria].flat().length === 0 ||
  [criteria].flat().some((one) => one == null || (!isKey(one) && isBlank(one as object, nulls)));

/** Whether no condition is left where the options of the DataSource ignore undefined, or null. */
const isBlank = (criteria: object, nulls: 'are-criteria' | 'are-none'): boolean =>
  Object.values(criteria).every(
    (value: unknown) => value === undefined || (value === null && nulls === 'are-none'),
  );

const conflictPaths = (given: unknown): string[] => {
  const paths = Array.isArray(given)
    ? given
    : (given as { conflictPaths: string[] | Record<string, true> }).conflictPaths;
  return Array.isArray(paths) ? (paths as string[]) : Object.keys(paths);
};
