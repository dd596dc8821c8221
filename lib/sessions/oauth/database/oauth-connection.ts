import type { OAuthDialect, OAuthTable } from './oauth-tables.js';

/**
 * How sessions reach their database: one statement at a time, each committed by itself, never in anybody's transaction. A refreshed
 * session that a stranger's rollback takes away is lost, because its refresh token is spent.
 */
export interface OAuthConnection {
  readonly dialect: OAuthDialect;
  /** The table's name as SQL. */
  table(name: OAuthTable): string;
  /** @param sql with `?` for each parameter, and `$now` for the database's time in microseconds since 1970 */
  read(sql: string, parameters: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** @returns how many rows it changed, or found to be changed */
  write(sql: string, parameters: readonly unknown[]): Promise<number>;
  /** @throws ParityOptionsError that says how to get the tables, if they are not there */
  ensureTables(): Promise<void>;
  close(): Promise<void>;
}

/** The database's clock: those of several processes may differ by more than a lease lasts. */
const NOW: Readonly<Record<OAuthDialect, string>> = {
  postgres: '(extract(epoch FROM clock_timestamp()) * 1000000)::bigint',
  mysql: "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))",
  sqlite: "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
};

/** From `?` and `$now` to what the driver takes. */
export function compiled(sql: string, dialect: OAuthDialect): string {
  const timed = sql.replaceAll('$now', NOW[dialect]);
  let number = 0;
  return dialect === 'postgres' ? timed.replaceAll('?', () => `$${++number}`) : timed;
}
