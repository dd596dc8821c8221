import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { Statement } from '../database/sql-script.js';
import type { SyncedEntity } from './synced-entity.js';

/** Builds one statement on the rows of a class, in the dialect of its DataSource. */
export class RecordSql {
  private readonly parameters: unknown[] = [];

  constructor(private readonly entity: SyncedEntity) {}

  statement(text: string): Statement {
    return { text, parameters: this.parameters };
  }

  escape(name: string): string {
    return this.entity.dataSource.driver.escape(name);
  }

  name(column: ColumnMetadata): string {
    return this.escape(column.databaseName);
  }

  get table(): string {
    return this.entity.metadata.tablePath
      .split('.')
      .map((part) => this.escape(part))
      .join('.');
  }

  value(column: ColumnMetadata, value: unknown): string {
    const { driver } = this.entity.dataSource;
    this.parameters.push(value === null ? null : driver.preparePersistentValue(value, column));
    return driver.createParameter('p', this.parameters.length - 1);
  }

  equals(column: ColumnMetadata, value: unknown): string {
    return value === null
      ? `${this.name(column)} IS NULL`
      : `${this.name(column)} = ${this.value(column, value)}`;
  }

  isOneOf(column: ColumnMetadata, values: readonly unknown[]): string {
    return `${this.name(column)} IN (${values.map((value) => this.value(column, value)).join(', ')})`;
  }

  key(id: string): string {
    const values = this.entity.key.valuesOf(id);
    const parts = this.entity.metadata.primaryColumns.map((column, index) =>
      this.equals(column, values[index]),
    );
    return `(${parts.join(' AND ')})`;
  }

  /** PostgreSQL: of the rows that a condition names those that no other transaction holds. */
  unlocked(condition: string): string {
    const keys = this.entity.metadata.primaryColumns.map((column) => this.name(column)).join(', ');
    // As an UPDATE locks them: who inserts a row that refers to one of these is not in the way.
    return `(${keys}) IN (SELECT ${keys} FROM ${this.table} WHERE ${condition} FOR NO KEY UPDATE SKIP LOCKED)`;
  }

  /** Of each row its own value; of any other row the one that it has. */
  valueById(column: ColumnMetadata, values: readonly (readonly [id: string, value: unknown])[]): string {
    const [key, ...others] = this.entity.metadata.primaryColumns;
    const single = key && others.length === 0 ? key : undefined;
    const cases = values.map(([id, value]) => {
      const isRow = single ? this.value(single, this.entity.key.valuesOf(id)[0]) : this.key(id);
      return `WHEN ${isRow} THEN ${this.value(column, value)}`;
    });
    return `CASE ${single ? this.name(single) : ''} ${cases.join(' ')} ELSE ${this.name(column)} END`;
  }

  /** A list of values where that is possible: planners see through it at once. */
  keys(ids: readonly string[]): string {
    const [key, ...others] = this.entity.metadata.primaryColumns;
    if (!key || others.length > 0) return ids.map((id) => this.key(id)).join(' OR ');
    return this.isOneOf(
      key,
      ids.map((id) => this.entity.key.valuesOf(id)[0]),
    );
  }

  /** The id of a row of which the key columns were selected as `k0`, `k1`, ... */
  idOf(row: Readonly<Record<string, unknown>>): string {
    const { dataSource, metadata } = this.entity;
    const values = metadata.primaryColumns.map(
      (column, index) => dataSource.driver.prepareHydratedValue(row[`k${index}`], column) as unknown,
    );
    return this.entity.key.idOfValues(values) ?? '';
  }

  get selectedKey(): string {
    return this.entity.metadata.primaryColumns
      .map((column, index) => `${this.name(column)} AS ${this.escape(`k${index}`)}`)
      .join(', ');
  }
}
