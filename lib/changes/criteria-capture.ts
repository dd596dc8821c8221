import {
  In,
  type EntityManager,
  type EntityMetadata,
  type FindOptionsWhere,
  type ObjectLiteral,
} from 'typeorm';
import type { SyncedEntity } from '../records/synced-entity.js';
import type { BulkWritePolicy } from './bulk-write.policy.js';
import type { ChangeFeed } from './change-feed.js';
import { currentScope, during } from './commit-scope.js';
import type { MarkedRows } from './marked-rows.js';
import type { RemovalWatch } from './removal-watch.js';

/** A writing method of an entity manager, whatever its signature. */
export type WriteMethod = (...args: unknown[]) => Promise<unknown>;

/**
 * Finds the rows of `repository.update(criteria)` and its like, for which TypeORM names none: before the write by the criteria,
 * in the same transaction.
 */
export class CriteriaCapture {
  constructor(
    private readonly feed: ChangeFeed,
    private readonly rows: MarkedRows,
    private readonly removals: RemovalWatch,
    private readonly bulk: BulkWritePolicy,
  ) {}

  /** Inside a transaction of `manager`. */
  run(
    metadata: EntityMetadata,
    manager: EntityManager,
    name: string,
    write: WriteMethod,
    args: unknown[],
  ): Promise<unknown> {
    // The events of an insert tell all that there is.
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
    const found = await this.matching(metadata, manager, args[1]);
    const log = this.feed.log(manager.queryRunner!);
    if (name === 'delete') {
      for (const [entity, ids] of found) await this.removals.ask(entity, ids, manager.queryRunner!, log);
    }
    const result = await during({ captured: { target: metadata.target, values: [] } }, () => write(...args));
    let count = 0;
    for (const [entity, ids] of found) {
      count += ids.length;
      for (const id of ids) {
        const removal = this.removals.take(entity, id, log);
        const now = name === 'update' ? entity.idAfter(id, args[2] as object) : id;
        if (now === null) this.bulk.missed(entity.name, 'An update of its primary key by SQL');
        else if (name !== 'delete' || removal) await this.touched(entity, now, manager, removal);
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

  private async matching(
    metadata: EntityMetadata,
    manager: EntityManager,
    criteria: unknown,
  ): Promise<Map<SyncedEntity, string[]>> {
    const [key, ...others] = metadata.primaryColumns;
    const keys = [criteria].flat() as unknown[];
    if (isEmpty(criteria) || !key) return new Map();
    if (!keys.every(isKey))
      return this.rows.matching(metadata, criteria as FindOptionsWhere<object>, manager);
    if (others.length > 0) return new Map();
    // Other keys may be written in another way than in the row: a UUID in capitals, a text where case does not count.
    if (key.isGenerated && keys.every(Number.isSafeInteger))
      return this.rows.ofIds(metadata, [...new Set(keys.map(String))], manager);
    return this.rows.matching(metadata, key.createValueMap(In(keys)) as FindOptionsWhere<object>, manager);
  }

  private async upsert(
    metadata: EntityMetadata,
    manager: EntityManager,
    write: WriteMethod,
    args: unknown[],
  ): Promise<unknown> {
    const values = [args[1]].flat() as ObjectLiteral[];
    const [any] = this.rows.classes(metadata);
    // Otherwise an upsert that meets a row would overwrite its record columns, or claim to.
    const discard = (): void => values.forEach((value) => any?.discard(value));
    discard();
    const result = await during({ captured: { target: metadata.target, values } }, () => write(...args));
    discard();
    const columns = conflictPaths(args[2]).flatMap((path) => metadata.findColumnsWithPropertyPath(path));
    const where = values.map((value) => {
      const conflict = columns.filter((column) => column.getEntityValue(value) != null);
      // A null meets no row, so this one was inserted.
      const told = conflict.length === columns.length ? columns : metadata.primaryColumns;
      return Object.assign(
        {},
        ...told.map((column) => column.createValueMap(any?.asInRow(column.getEntityValue(value), column))),
      ) as object;
    });
    for (const [entity, ids] of await this.rows.matching(metadata, where, manager)) {
      for (const id of new Set(ids)) await this.touched(entity, id, manager, undefined);
    }
    return result;
  }

  private touched(
    entity: SyncedEntity,
    entityId: string,
    manager: EntityManager,
    removal: ReturnType<RemovalWatch['take']>,
  ): Promise<void> | void {
    const touch = { entity, entityId, instance: undefined, inserted: false, removal, origin: currentScope() };
    return this.feed.touched(touch, manager.queryRunner!);
  }
}

const isKey = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'number' || value instanceof Date;

/** TypeORM refuses it, so nothing has to be looked up. */
const isEmpty = (criteria: unknown): boolean =>
  criteria == null ||
  criteria === '' ||
  [criteria].flat().length === 0 ||
  [criteria].flat().some((one) => one == null || (!isKey(one) && Object.keys(one as object).length === 0));

const conflictPaths = (given: unknown): string[] => {
  const paths = Array.isArray(given)
    ? given
    : (given as { conflictPaths: string[] | Record<string, true> }).conflictPaths;
  return Array.isArray(paths) ? (paths as string[]) : Object.keys(paths);
};
