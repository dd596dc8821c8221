import type { QueryRunner } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
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
    const { uri, cid, rkey } = this.entity.columns;
    const keys = this.entity.metadata.primaryColumns;
    const found = new Map<string, RecordRow>();
    for (const chunk of chunks(ids, 500)) {
      const sql = new Sql(this.entity);
      const selected = keys.map((column, index) => `${sql.name(column)} AS ${sql.escape(`k${index}`)}`);
      const rows = (await runner.query(
        `SELECT ${selected.join(', ')}, ${sql.name(uri)} AS ${sql.escape('uri')}, ${sql.name(cid)} AS ${sql.escape('cid')}, ` +
          `${sql.name(rkey)} AS ${sql.escape('rkey')} FROM ${sql.table} WHERE ${chunk.map((id) => sql.key(id)).join(' OR ')}`,
        sql.parameters,
      )) as (RecordRow & Record<string, unknown>)[];
      for (const row of rows) {
        const values = keys.map((column, index) =>
          this.entity.dataSource.driver.prepareHydratedValue(row[`k${index}`], column),
        );
        found.set(this.entity.idOfKey(values) ?? '', row);
      }
    }
    return found;
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
    const assignments = columns
      .filter((entry): entry is [ColumnMetadata, unknown] => entry[0] !== undefined)
      .map(([column, value]) => `${sql.name(column)} = ${sql.value(column, value)}`)
      .join(', ');
    const result = await runner.query(
      `UPDATE ${sql.table} SET ${assignments} WHERE ${sql.key(id)} AND ${sql.equals(...guard)}`,
      sql.parameters,
      true,
    );
    return (result.affected ?? 0) > 0;
  }
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
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
