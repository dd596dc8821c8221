import type { DataSource, EntityManager, QueryRunner } from 'typeorm';

export const dataSourceOf = ({ manager }: QueryRunner): DataSource => dataSourceOfManager(manager);

/** `dataSource` in TypeORM 1, `connection` in 0.3. */
export function dataSourceOfManager(manager: EntityManager): DataSource {
  const { dataSource, connection } = manager as { dataSource?: DataSource; connection?: DataSource };
  return (dataSource ?? connection) as DataSource;
}
