import type { DataSource, QueryRunner } from 'typeorm';
import { dataSourceOf } from './data-source-of.js';

/**
 * Whether the database has a transaction open on this connection; undefined where the driver cannot tell.
 *
 * On SQLite TypeORM's own `isTransactionActive` can stay true for ever. When a transaction begins while the
 * COMMIT of another is under way on the shared connection, TypeORM takes the first for a savepoint of the
 * second.
 */
export const isTransactionOpen = (runner: QueryRunner): boolean | undefined =>
  isSharedTransactionOpen(dataSourceOf(runner));

/** The same of a connection that all callers share; undefined where each caller has its own. */
export function isSharedTransactionOpen({ driver }: DataSource): boolean | undefined {
  const { databaseConnection } = driver as { databaseConnection?: { inTransaction?: unknown } };
  const open = databaseConnection?.inTransaction;
  return typeof open === 'boolean' ? open : undefined;
}
