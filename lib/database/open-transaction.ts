import type { DataSource, QueryRunner } from 'typeorm';
import { dataSourceOf } from './data-source-of.js';

/**
 * Whether the database has a transaction open on this connection; undefined where the driver cannot tell.
 * On SQLite TypeORM's own `isTransactionActive` can stay true for ever: when a transaction begins while the COMMIT of
 * another is under way on the connection that they share, it takes the first for a savepoint of the second.
 */
export const isTransactionOpen = (runner: QueryRunner): boolean | undefined =>
  isSharedTransactionOpen(dataSourceOf(runner));

/** The same of the one connection that all share; undefined where each has its own. */
export function isSharedTransactionOpen({ driver }: DataSource): boolean | undefined {
  const { databaseConnection } = driver as { databaseConnection?: { inTransaction?: unknown } };
  const open = databaseConnection?.inTransaction;
  return typeof open === 'boolean' ? open : undefined;
}
