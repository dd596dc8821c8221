import type { QueryRunner } from 'typeorm';
import type { QueryResult, Statement, SqlScript } from './sql-script.js';

/**
 * Runs one statement. Parameters are `$1`, `$2`, ... in any order and as often as wanted; `$now` is the time.
 */
export type Query = (sql: string, parameters?: readonly unknown[]) => Promise<QueryResult>;

/**
 * How a store of the module reaches its database for work of its own: never inside a transaction that another
 * caller may roll back. What belongs into the entity's transaction goes through {@link Connection.within}.
 */
export interface Connection {
  /** One statement or several, on one connection, each committed by itself. */
  use<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** The statements of a script, each committed by itself. */
  inTurn<T>(script: SqlScript<T>): Promise<T>;
  /** Compiles a statement for this database. */
  statement(sql: string, parameters: readonly unknown[]): Statement;
  /** All statements of a script are committed, or none. */
  transaction<T>(script: SqlScript<T>): Promise<T>;
  /** Statements on the caller's connection, in its transaction if it has one open. */
  within(runner: QueryRunner): Query;
}
