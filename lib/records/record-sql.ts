import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { Step } from './steps.js';
import type { SyncedEntity } from './synced-entity.js';

export interface ValueOfRow {
  readonly id: string;
  /** As {@link RecordSql.keyText} gives it. */
  readonly key: string | undefined;
  readonly value: unknown;
}

/** Builds one statement on the rows of a class, in the dialect of its DataSource. */
export class RecordSql {
  private readonly parameters: unknown[] = [];

  constructor(private readonly entity: SyncedEntity) {}

  step(text: string): Step {
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
    return this.parameter(this.prepared(column, value));
  }

  equals(column: ColumnMetadata, value: unknown): string {
    return value === null
      ? `${this.name(column)} IS NULL`
      : `${this.name(column)} = ${this.value(column, value)}`;
  }

  key(id: string): string {
    const values = this.entity.keyOf(id);
    const parts = this.entity.metadata.primaryColumns.map((column, index) =>
      this.equals(column, values[index]),
    );
    return `(${parts.join(' AND ')})`;
  }

  /** Of each row its own value; of any other among the `count` rows the one that it has. */
  valueByRow(column: ColumnMetadata, values: readonly ValueOfRow[], count: number): string {
    const texts = values.map(({ key, value }) => [key, this.prepared(column, value)] as const);
    if (texts.length === count && texts.every(([key, text]) => key !== undefined && isText(text)))
      return `${this.parameter(JSON.stringify(Object.fromEntries(texts)))}::jsonb ->> ${this.keyText}`;
    const [key, ...others] = this.entity.metadata.primaryColumns;
    const single = key && others.length === 0 ? key : undefined;
    const cases = values.map(({ id, value }) => {
      const isRow = single ? this.value(single, this.entity.keyOf(id)[0]) : this.key(id);
      return `WHEN ${isRow} THEN ${this.value(column, value)}`;
    });
    return `CASE ${single ? this.name(single) : ''} ${cases.join(' ')} ELSE ${this.name(column)} END`;
  }

  /** The primary key in one text, on PostgreSQL: values are looked up by it in one parameter, faster than by as many conditions. */
  get keyText(): string | undefined {
    const { dataSource, metadata } = this.entity;
    if (dataSource.options.type !== 'postgres') return undefined;
    const names = metadata.primaryColumns.map((column) => this.name(column));
    return `(${names.length > 1 ? `ROW(${names.join(', ')})` : names[0]})::text`;
  }

  /** A list of values where that is possible: planners see through it at once. */
  keys(ids: readonly string[]): string {
    const [key, ...others] = this.entity.metadata.primaryColumns;
    if (!key || others.length > 0) return ids.map((id) => this.key(id)).join(' OR ');
    return `${this.name(key)} IN (${ids.map((id) => this.value(key, this.entity.keyOf(id)[0])).join(', ')})`;
  }

  /** The id of a row of which the key columns were selected as `k0`, `k1`, ... */
  idOf(row: Readonly<Record<string, unknown>>): string {
    const { dataSource, metadata } = this.entity;
    const values = metadata.primaryColumns.map(
      (column, index) => dataSource.driver.prepareHydratedValue(row[`k${index}`], column) as unknown,
    );
    return this.entity.idOfKey(values) ?? '';
  }

  /** The key columns as `k0`, `k1`, ..., and {@link keyText} as `key`. */
  get selectedKey(): string {
    const columns = this.entity.metadata.primaryColumns.map(
      (column, index) => `${this.name(column)} AS ${this.escape(`k${index}`)}`,
    );
    const { keyText } = this;
    return [...columns, ...(keyText ? [`${keyText} AS ${this.escape('key')}`] : [])].join(', ');
  }

  private prepared(column: ColumnMetadata, value: unknown): unknown {
    return value === null ? null : this.entity.dataSource.driver.preparePersistentValue(value, column);
  }

  private parameter(value: unknown): string {
    this.parameters.push(value);
    return this.entity.dataSource.driver.createParameter('p', this.parameters.length - 1);
  }
}

const isText = (value: unknown): boolean => value === null || typeof value === 'string';
