import type { DataSource } from 'typeorm';
import type { SqlDialect } from './dialect.js';
import { MysqlDialect } from './mysql.dialect.js';
import { PostgresDialect } from './postgres.dialect.js';
import { SqliteDialect } from './sqlite.dialect.js';
import type { DialectName } from '../../database/dialect.js';
import { ledgerDialectOf } from './ledger-tables.js';

const make: Record<DialectName, (dataSource: DataSource, prepares: boolean) => SqlDialect> = {
  postgres: (dataSource, prepares) => new PostgresDialect(dataSource, prepares),
  mysql: (dataSource) => new MysqlDialect(dataSource),
  sqlite: (dataSource) => new SqliteDialect(dataSource),
};

const known = new WeakMap<DataSource, Map<boolean, SqlDialect>>();

/**
 * The dialect of a DataSource. There is one per DataSource, because it keeps the texts of its statements.
 *
 * @throws ParityOptionsError for a database that is not supported
 */
export function sqlDialect(dataSource: DataSource, prepares: boolean): SqlDialect {
  const dialects = known.get(dataSource) ?? new Map<boolean, SqlDialect>();
  known.set(dataSource, dialects);
  let dialect = dialects.get(prepares);
  if (!dialect)
    dialects.set(prepares, (dialect = make[ledgerDialectOf(dataSource).name](dataSource, prepares)));
  return dialect;
}
