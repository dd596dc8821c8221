import type { QueryRunner } from 'typeorm';
import { atUri, type Address } from '../model/address.js';
import { chunks } from '../database/chunks.js';
import { RecordSql } from './record-sql.js';
import type { RecordRow } from './row-write.js';
import { runStatement } from '../database/sql-script.js';
import type { SyncedEntity } from './synced-entity.js';

/** The record columns as they are in the database now, whatever an instance says. */
export class RecordRows {
  constructor(private readonly entity: SyncedEntity) {}

  /** By id; rows that do not exist are left out. */
  async read(runner: QueryRunner, ids: readonly string[]): Promise<Map<string, RecordRow>> {
    const found = new Map<string, RecordRow>();
    for (const chunk of chunks(ids, 500)) {
      const rows = await this.select(runner, (sql) => sql.keys(chunk));
      for (const [id, row] of rows) found.set(id, row);
    }
    return found;
  }

  /**
   * The ids of rows by the at-uri of the address that they hold: their record is there, or reserved for
   * there. A reservation under a fixed record key is left out, as it names no account.
   */
  async holding(runner: QueryRunner, addresses: readonly Address[]): Promise<Map<string, string>> {
    const { uri, rkey } = this.entity.columns;
    const held = new Map<string, string>();
    for (const chunk of chunks(addresses, 200)) {
      const keys = this.entity.hasFixedRkey ? [] : chunk.map((address) => address.rkey);
      const rows = await this.select(runner, (sql) => {
        const isThere = sql.isOneOf(uri, chunk.map(atUri));
        return keys.length === 0
          ? isThere
          : `${isThere} OR (${sql.equals(uri, null)} AND ${sql.isOneOf(rkey, keys)})`;
      });
      for (const [id, row] of rows) {
        const address = chunk.find((one) => (row.uri ? atUri(one) === row.uri : one.rkey === row.rkey));
        if (address) held.set(atUri(address), id);
      }
    }
    return held;
  }

  /** The id of the row with a record key that is not fixed, for one whose id nobody told. */
  async idOfKey(runner: QueryRunner, rkey: string): Promise<string | null> {
    const [found] = await this.select(runner, (sql) => sql.equals(this.entity.columns.rkey, rkey));
    return found?.[0] ?? null;
  }

  private async select(
    runner: QueryRunner,
    condition: (sql: RecordSql) => string,
  ): Promise<(readonly [id: string, RecordRow])[]> {
    const { uri, cid, rkey } = this.entity.columns;
    const sql = new RecordSql(this.entity);
    const selected = Object.entries({ uri, cid, rkey }).map(
      ([name, column]) => `${sql.name(column)} AS ${sql.escape(name)}`,
    );
    const text = `SELECT ${sql.selectedKey}, ${selected.join(', ')} FROM ${sql.table} WHERE ${condition(sql)}`;
    const { rows } = await runStatement(sql.statement(text), runner);
    return rows.map((row) => [sql.idOf(row), row as unknown as RecordRow] as const);
  }
}

export interface Holder {
  readonly entity: SyncedEntity;
  readonly entityId: string;
  /** Whole. */
  readonly row: object;
}

/**
 * Who holds addresses, by at-uri: a migration may have given a row another primary key, another class or
 * another table.
 */
export async function holdersOf(
  entity: SyncedEntity,
  runner: QueryRunner,
  addresses: readonly Address[],
): Promise<Map<string, Holder>> {
  const holders = new Map<string, Holder>();
  if (addresses.length === 0) return holders;
  for (const one of [entity, ...entity.neighbours]) {
    const held = await new RecordRows(one).holding(runner, addresses);
    const rows = await one.load([...held.values()], runner.manager);
    for (const [uri, entityId] of held) {
      const row = rows.get(entityId);
      if (row && !holders.has(uri)) holders.set(uri, { entity: one, entityId, row });
    }
  }
  return holders;
}
