import type { DataSource, QueryRunner } from 'typeorm';
import { onCommittedData } from './committed-data.js';

/**
 * How code that also asks the application's own functions reads and writes rows: it holds no connection while
 * they answer.
 */
export interface RowAccess {
  /**
   * True in the caller's transaction. Nothing waits there for the application's functions: they may ask the
   * pool for a second connection.
   */
  readonly isInTransaction: boolean;
  use<T>(fn: (runner: QueryRunner) => Promise<T>): Promise<T>;
}

/** @param own the caller's connection, after its commit and for as long as it waits */
export const committedRows = (dataSource: DataSource, own?: () => QueryRunner | undefined): RowAccess => ({
  isInTransaction: false,
  use: (fn) => onCommittedData(dataSource, own?.(), fn),
});

/** In the open transaction of a connection, with what that transaction has written. */
export const rowsOfTransaction = (runner: QueryRunner): RowAccess => ({
  isInTransaction: true,
  use: (fn) => fn(runner),
});
