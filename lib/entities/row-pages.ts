import type { QueryRunner } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { SyncedEntity } from './synced-entity.js';

/**
 * The ids of the rows of a class, soft-deleted ones included, page by page in the order of the primary key.
 * Each page begins behind the last id of the one before, so rows that come and go neither shift a page nor
 * make it slower.
 */
export class RowPages {
  constructor(private readonly entity: SyncedEntity) {}

  /** @param after the last id of the page before; null: the first page */
  async ids(runner: QueryRunner, after: string | null, limit: number): Promise<string[]> {
    const { metadata, dataSource } = this.entity;
    const { driver } = dataSource;
    const keys = metadata.primaryColumns;
    const name = (column: ColumnMetadata): string => driver.escape(column.databaseName);
    const parameters: unknown[] = [];
    const value = (column: ColumnMetadata, given: unknown): string => {
      parameters.push(driver.preparePersistentValue(given, column));
      return driver.createParameter('p', parameters.length - 1);
    };
    const conditions: string[] = [];
    if (after !== null) {
      const values = this.entity.key.valuesOf(after);
      const [first] = keys;
      // An own condition, by which the database finds the place in the index.
      if (first && keys.length > 1) conditions.push(`${name(first)} >= ${value(first, values[0])}`);
      const behind = keys.map((column, index) =>
        keys
          .slice(0, index)
          .map((before, at) => `${name(before)} = ${value(before, values[at])}`)
          .concat(`${name(column)} > ${value(column, values[index])}`)
          .join(' AND '),
      );
      conditions.push(`(${behind.join(' OR ')})`);
    }
    // In a single table, only the rows of this class; its children are classes of their own.
    const { discriminatorColumn, discriminatorValue } = metadata;
    if (discriminatorColumn && discriminatorValue !== undefined) {
      conditions.push(`${name(discriminatorColumn)} = ${value(discriminatorColumn, discriminatorValue)}`);
    }
    const table = metadata.tablePath
      .split('.')
      .map((part) => driver.escape(part))
      .join('.');
    const columns = keys.map((column, index) => `${name(column)} AS ${driver.escape(`k${index}`)}`);
    const rows = (await runner.query(
      `SELECT ${columns.join(', ')} FROM ${table} ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')} ` : ''}` +
        `ORDER BY ${keys.map(name).join(', ')} LIMIT ${Math.trunc(limit)}`,
      parameters,
    )) as Record<string, unknown>[];
    return rows.map((row) => {
      const values = keys.map(
        (column, index) => driver.prepareHydratedValue(row[`k${index}`], column) as unknown,
      );
      return this.entity.key.idOfValues(values) ?? '';
    });
  }
}
