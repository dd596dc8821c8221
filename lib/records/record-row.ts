import type { QueryRunner } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { chunks } from './chunks.js';
import type { SyncedEntity } from './synced-entity.js';

export interface RecordRow {
  readonly uri: string | null;
  readonly cid: string | null;
  readonly rkey: string | null;
}

/**
 * The record columns of one row, by SQL of its own: the columns are `update: false`, so TypeORM cannot write them,
 * and a write of ours raises no event and touches no version or update-date column.
 */
export class RecordRows {
  constructor(private readonly entity: SyncedEntity) {}

  /** By id; rows that do not exist are left out. */
  async read(runner: QueryRunner, ids: readonly string[]): Promise<Map<string, RecordRow>> {
    const found = new Map<string, RecordRow>();
    for (const chunk of chunks(ids, 500)) {
      const rows = await this.select(runner, (sql) => chunk.map((id) => sql.key(id)).join(' OR '));
      for (const [id, row] of rows) found.set(id, row);
    }
    return found;
  }

  /** The id of the row with a record key that is not fixed, for one whose id nobody told. */
  async idOfKey(runner: QueryRunner, rkey: string): Promise<string | null> {
    const [found] = await this.select(runner, (sql) => sql.equals(this.entity.columns.rkey, rkey));
    return found?.[0] ?? null;
  }

  private async select(
    runner: QueryRunner,
    condition: (sql: Sql) => string,
  ): Promise<(readonly [id: string, RecordRow])[]> {
    const { uri, cid, rkey } = this.entity.columns;
    const keys = this.entity.metadata.primaryColumns;
    const sql = new Sql(this.entity);
    const selected = [
      ...keys.map((column, index) => `${sql.name(column)} AS ${sql.escape(`k${index}`)}`),
      ...Object.entries({ uri, cid, rkey }).map(
        ([name, column]) => `${sql.name(column)} AS ${sql.escape(name)}`,
      ),
    ];
    const rows = (await runner.query(
      `SELECT ${selected.join(', ')} FROM ${sql.table} WHERE ${condition(sql)}`,
      sql.parameters,
    )) as (RecordRow & Record<string, unknown>)[];
    const { driver } = this.entity.dataSource;
    return rows.map((row) => {
      const values = keys.map(
        (column, index) => driver.prepareHydratedValue(row[`k${index}`], column) as unknown,
      );
      return [this.entity.idOfKey(values) ?? '', row] as const;
    });
  }

  /** The record is at `uri` now. @returns false if the row is gone, or no longer holds the record key of that address */
  published(runner: QueryRunner, id: string, record: RecordRow, at: Date): Promise<boolean> {
    const { uri, cid, rkey, syncedAt } = this.entity.columns;
    return this.update(
      runner,
      id,
      [
        [uri, record.uri],
        [cid, record.cid],
        [syncedAt, at],
      ],
      [rkey, record.rkey],
    );
  }

  /**
   * The record at the row's address is deleted. `next` is reserved for the next one, because a late request may still name the
   * old key; null keeps the key (it is fixed, or the record has moved to another account).
   */
  unpublished(
    runner: QueryRunner,
    id: string,
    was: { uri: string; rkey: string },
    next: string | null,
  ): Promise<boolean> {
    const { uri, cid, rkey, syncedAt } = this.entity.columns;
    const cleared: [ColumnMetadata | undefined, unknown][] = [
      [uri, null],
      [cid, null],
      [syncedAt, null],
    ];
    return next === null
      ? this.update(runner, id, cleared, [uri, was.uri])
      : this.update(runner, id, [...cleared, [rkey, next]], [rkey, was.rkey]);
  }

  /** Reserves a key for a row that has none (it is older than the record columns). @returns false if there is one already */
  reserve(runner: QueryRunner, id: string, rkey: string): Promise<boolean> {
    return this.update(runner, id, [[this.entity.columns.rkey, rkey]], [this.entity.columns.rkey, null]);
  }

  private async update(
    runner: QueryRunner,
    id: string,
    columns: readonly [ColumnMetadata | undefined, unknown][],
    guard: readonly [ColumnMetadata, unknown],
  ): Promise<boolean> {
    const sql = new Sql(this.entity);
    // MySQL and MariaDB would set these of their own accord (ON UPDATE CURRENT_TIMESTAMP).
    const kept = this.entity.metadata.columns.filter(
      ({ isUpdateDate, onUpdate }) => isUpdateDate || onUpdate,
    );
    const assignments = columns
      .filter((entry): entry is [ColumnMetadata, unknown] => entry[0] !== undefined)
      .map(([column, value]) => `${sql.name(column)} = ${sql.value(column, value)}`)
      .concat(kept.map((column) => `${sql.name(column)} = ${sql.name(column)}`))
      .join(', ');
    const result = await runner.query(
      `UPDATE ${sql.table} SET ${assignments} WHERE ${sql.key(id)} AND ${sql.equals(...guard)}`,
      sql.parameters,
      true,
    );
    return (result.affected ?? 0) > 0;
  }
}

/** Builds one statement in the dialect of the entity's DataSource. */
class Sql {
  readonly parameters: unknown[] = [];

  constructor(private readonly entity: SyncedEntity) {}

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

  key(id: string): string {
    const values = this.entity.keyOf(id);
    const parts = this.entity.metadata.primaryColumns.map((column, index) =>
      this.equals(column, values[index]),
    );
    return `(${parts.join(' AND ')})`;
  }
}
