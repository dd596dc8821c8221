import type { EntityManager, ObjectLiteral, QueryRunner } from 'typeorm';
import type { SyncedEntity } from '../records/synced-entity.js';
import type { ChangeFeed } from './change-feed.js';
import { currentScope, withRowsCaptured } from './commit-scope.js';
import type { WriteMethod } from './managed-writes.js';
import { RemovalWatch } from './removal-watch.js';

/**
 * Finds the rows of `repository.update(criteria)` and its like, for which TypeORM names none: before the write by the criteria,
 * in the same transaction. A row that another transaction commits between the two is missed unless the criteria are keys.
 */
export class CriteriaCapture {
  private readonly removals = new RemovalWatch();

  constructor(private readonly feed: ChangeFeed) {}

  /** Inside a transaction of `manager`. */
  async run(
    entity: SyncedEntity,
    manager: EntityManager,
    name: string,
    write: WriteMethod,
    args: unknown[],
  ): Promise<unknown> {
    const runner = manager.queryRunner;
    if (!runner) return write(...args);
    if (name === 'upsert') return this.upsert(entity, manager, runner, write, args);
    const ids = await rowIds(entity, manager, args[1]);
    const log = this.feed.log(runner);
    if (name === 'delete') await this.removals.answer(entity, ids, runner, log);
    const result = await withRowsCaptured(() => write(...args));
    for (const id of ids) {
      const removal = this.removals.take(entity, id, log);
      if (name !== 'delete' || removal) await this.touched(entity, id, runner, removal);
    }
    return result;
  }

  private async upsert(
    entity: SyncedEntity,
    manager: EntityManager,
    runner: QueryRunner,
    write: WriteMethod,
    args: unknown[],
  ): Promise<unknown> {
    const values = [args[1]].flat() as ObjectLiteral[];
    // Otherwise an upsert that meets a row would overwrite its record columns.
    for (const value of values) entity.discard(value);
    const result = await withRowsCaptured(() => write(...args));
    const paths = conflictPaths(args[2]);
    const columns = entity.metadata.columns.filter(({ propertyPath }) => paths.includes(propertyPath));
    const where = values.map((value) =>
      Object.assign({}, ...columns.map((column) => column.createValueMap(column.getEntityValue(value)))),
    );
    for (const row of await manager.find(entity.metadata.target, {
      where,
      withDeleted: true,
      loadEagerRelations: false,
    })) {
      const id = entity.idOf(row);
      if (id !== null) await this.touched(entity, id, runner, undefined);
    }
    return result;
  }

  private touched(
    entity: SyncedEntity,
    entityId: string,
    runner: QueryRunner,
    removal: ReturnType<RemovalWatch['take']>,
  ): Promise<void> {
    const touch = { entity, entityId, instance: undefined, inserted: false, removal, origin: currentScope() };
    return this.feed.touched(touch, runner);
  }
}

async function rowIds(entity: SyncedEntity, manager: EntityManager, criteria: unknown): Promise<string[]> {
  const keys = [criteria].flat();
  if (keys.every((key) => typeof key !== 'object' || key === null || key instanceof Date)) {
    return keys.map((key) => entity.idOfKey([key])).filter((id) => id !== null);
  }
  const rows = await manager.find(entity.metadata.target, {
    where: criteria as ObjectLiteral,
    withDeleted: true,
    loadEagerRelations: false,
  });
  return rows.map((row) => entity.idOf(row)).filter((id) => id !== null);
}

const conflictPaths = (given: unknown): string[] => {
  const paths = Array.isArray(given)
    ? given
    : (given as { conflictPaths: string[] | Record<string, true> }).conflictPaths;
  return Array.isArray(paths) ? (paths as string[]) : Object.keys(paths);
};
