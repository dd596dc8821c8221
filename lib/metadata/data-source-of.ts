import type { DataSource, QueryRunner } from 'typeorm';

/** `dataSource` in TypeORM 1, `connection` in 0.3. */
export function dataSourceOf({ manager }: QueryRunner): DataSource {
  const { dataSource, connection } = manager as { dataSource?: DataSource; connection?: DataSource };
  return (dataSource ?? connection) as DataSource;
}
