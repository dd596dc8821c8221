import type { DataSource, QueryRunner } from 'typeorm';
import { onCommittedData } from './committed-data.js';

/**
 * How rows are read and written by what also asks the application's own code: no connection is held while
 * that answers.
 */
export interface RowAccess {
  /**
   * The caller's transaction, for whose end that code may have to wait: it may ask the pool for a second
   * connection.
   */
  readonly isInTransaction: boolean;
  use<T>(fn: (runner: QueryRunner) => Promise<T>): Promise<T>;
}

/** @param own the caller's connection, after its commit and for as long as it waits */
export const committedRows = (dataSource: DataSource, own?: () => QueryRunner | undefined): RowAccess => ({
  isInTransaction: false,
  use: (fn) => onCommittedData(dataSource, own?.(), fn),
});

/** In the transaction that is open on a connection, and sees what that has written. */
export const rowsOfTransaction = (runner: QueryRunner): RowAccess => ({
  isInTransaction: true,
  use: (fn) => fn(runner),
});
