import type { DataSource } from 'typeorm';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { numbered, positional, type CompiledStatement } from './compiled-statements.js';

export type DialectName = 'postgres' | 'mysql' | 'sqlite';

/** The SQL of a database in which the module keeps tables of its own. */
export interface Dialect {
  readonly name: DialectName;
  /** Translates `$1` and `$now` to what the driver takes. */
  compile(sql: string): CompiledStatement;
  /** An index can have a condition; without that, a query finds pending rows among all rows. */
  readonly hasPartialIndexes: boolean;
  /** Tables can be stored by their primary key alone (`WITHOUT ROWID`). */
  readonly canOmitRowid: boolean;
  /** Ends an INSERT that becomes an UPDATE where the key exists; assignments follow. */
  upsert(key: string): string;
  /**
   * An INSERT that leaves an existing row alone.
   *
   * @param values what follows INTO
   */
  insertIfAbsent(values: string, key: string): string;
  /** Deletes at most so many rows. */
  deleteSome(table: string, key: string, where: string, limit: number): string;
}

const onConflict: Pick<Dialect, 'hasPartialIndexes' | 'upsert' | 'insertIfAbsent' | 'deleteSome'> = {
  hasPartialIndexes: true,
  upsert: (key) => `ON CONFLICT (${key}) DO UPDATE SET`,
  insertIfAbsent: (values, key) => `INSERT INTO ${values} ON CONFLICT (${key}) DO NOTHING`,
  deleteSome: (table, key, where, limit) =>
    `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${where} LIMIT ${limit})`,
};

const postgres: Dialect = {
  ...onConflict,
  name: 'postgres',
  canOmitRowid: false,
  // The time of the statement, not of the transaction, which may have been open for long.
  compile: numbered('(extract(epoch FROM statement_timestamp()) * 1000000)::bigint'),
};

const mysql: Dialect = {
  name: 'mysql',
  hasPartialIndexes: false,
  canOmitRowid: false,
  // Not NOW(): where the clocks are set back in autumn, it gives the same hour twice.
  compile: positional("TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))"),
  upsert: () => 'ON DUPLICATE KEY UPDATE',
  insertIfAbsent: (values) => `INSERT IGNORE INTO ${values}`,
  deleteSome: (table, _key, where, limit) => `DELETE FROM ${table} WHERE ${where} LIMIT ${limit}`,
};

/**
 * SQLite's clock counts milliseconds, so {@link SqliteConnection} gives the time as a parameter and keeps it
 * rising.
 */
const sqlite: Dialect = { ...onConflict, name: 'sqlite', canOmitRowid: true, compile: positional() };

const dialects: Readonly<Record<string, Dialect>> = {
  postgres,
  mysql,
  mariadb: mysql,
  'better-sqlite3': sqlite,
};

/**
 * @param what is to be kept in the database, and what to use `instead`, for the error
 * @throws ParityOptionsError for a driver for which the module has no SQL
 */
export function dialectOf(
  { options: { type } }: DataSource,
  { what, instead }: { readonly what: string; readonly instead: string },
): Dialect {
  const dialect = dialects[type];
  if (dialect) return dialect;
  throw new ParityOptionsError(
    `${what} cannot be kept in a DataSource of type '${type}': it takes ${Object.keys(dialects).join(', ')}. ` +
      `Use one of these, or ${instead}.`,
  );
}
