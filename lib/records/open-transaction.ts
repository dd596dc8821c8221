import type { QueryRunner } from 'typeorm';
import { dataSourceOf } from '../metadata/data-source-of.js';

/**
 * Whether the database has a transaction open on this connection; undefined where the driver cannot tell.
 * On SQLite TypeORM's own `isTransactionActive` can stay true for ever: when a transaction begins while the COMMIT of
 * another is under way on the connection that they share, it takes the first for a savepoint of the second.
 */
export function isTransactionOpen(runner: QueryRunner): boolean | undefined {
  const { databaseConnection } = dataSourceOf(runner).driver as {
    databaseConnection?: { inTransaction?: unknown };
  };
  const open = databaseConnection?.inTransaction;
  return typeof open === 'boolean' ? open : undefined;
}
