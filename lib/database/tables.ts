import type { DataSource } from 'typeorm';
import { ParityOptionsError } from '../errors/parity-options.error.js';

export type Dialect = 'postgres' | 'mysql' | 'sqlite';

const dialects: Record<string, Dialect> = {
  postgres: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  'better-sqlite3': 'sqlite',
};

/** @throws ParityOptionsError for a database that pending syncs cannot be kept in */
export function dialectOf({ options: { type } }: DataSource): Dialect {
  const dialect = dialects[type];
  if (dialect) return dialect;
  throw new ParityOptionsError(
    `pendingSyncs.storage 'database' does not work with a DataSource of type '${type}'; it takes ` +
      `${Object.keys(dialects).join(', ')}. Use one of these, or storage 'cache'.`,
  );
}

/** Where a table is: in the schema of the DataSource, under the name that its naming strategy and prefix give. */
export function tablePath(dataSource: DataSource, name: string): string {
  const known = dataSource.entityMetadatas.find(({ givenTableName }) => givenTableName === name);
  if (known) return known.tablePath;
  // Made by the migrations, without the entities being registered.
  const { driver, namingStrategy, options } = dataSource;
  const plain = namingStrategy.tableName(name, name);
  const prefixed = options.entityPrefix ? namingStrategy.prefixTableName(options.entityPrefix, plain) : plain;
  return driver.buildTableName(prefixed, 'schema' in options ? options.schema : undefined);
}

export const escapedTable = (dataSource: DataSource, name: string): string =>
  tablePath(dataSource, name)
    .split('.')
    .map((part) => dataSource.driver.escape(part))
    .join('.');
