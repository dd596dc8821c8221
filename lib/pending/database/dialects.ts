import type { DataSource } from 'typeorm';
import type { SqlDialect } from './dialect.js';
import { MysqlDialect } from './mysql.dialect.js';
import { PostgresDialect } from './postgres.dialect.js';
import { SqliteDialect } from './sqlite.dialect.js';
import { dialectOf, type Dialect } from './tables.js';

const classes: Record<Dialect, new (dataSource: DataSource) => SqlDialect> = {
  postgres: PostgresDialect,
  mysql: MysqlDialect,
  sqlite: SqliteDialect,
};

const known = new WeakMap<DataSource, SqlDialect>();

/** One per DataSource: it keeps the texts of its statements. @throws ParityOptionsError for a database that it does not know */
export function sqlDialect(dataSource: DataSource): SqlDialect {
  let dialect = known.get(dataSource);
  if (!dialect) known.set(dataSource, (dialect = new classes[dialectOf(dataSource)](dataSource)));
  return dialect;
}
