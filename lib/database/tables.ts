import type { DataSource } from 'typeorm';

/**
 * Where a table is: in the schema of the DataSource, under the name that its naming strategy and prefix give.
 */
export function tablePath(dataSource: DataSource, name: string): string {
  const known = dataSource.entityMetadatas.find(({ givenTableName }) => givenTableName === name);
  if (known) return known.tablePath;
  // The migrations have made the table, and its entity is not registered.
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

/**
 * @throws the error that `missing` makes of the first table that does not exist, and of whether TypeORM
 *   synchronizes
 */
export async function requireTables(
  dataSource: DataSource,
  names: readonly string[],
  missing: (path: string, synchronizes: boolean) => Error,
): Promise<void> {
  const runner = dataSource.createQueryRunner('master');
  try {
    for (const name of names) {
      const path = tablePath(dataSource, name);
      if (!(await runner.hasTable(path))) throw missing(path, dataSource.options.synchronize === true);
    }
  } finally {
    await runner.release();
  }
}
