import type { DataSource, QueryRunner } from 'typeorm';
import { capabilitiesOf } from './capabilities.js';
import { dataSourceOf } from './data-source-of.js';

/** A statement as the driver takes it. */
export interface Statement {
  readonly text: string;
  readonly parameters: readonly unknown[];
  /** Runs the statement instead, where the driver knows prepared statements. */
  readonly prepared?: Runnable | undefined;
}

/** Runs a statement in a way of its own. */
export interface Runnable {
  run(runner: QueryRunner, parameters: readonly unknown[]): Promise<QueryResult>;
}

export interface QueryResult {
  readonly rows: readonly Record<string, unknown>[];
  readonly affected: number;
  /** MySQL: the value that `LAST_INSERT_ID(n)` was given. */
  readonly insertId: number;
}

/**
 * Statements of which each may depend on the results before it. The runner decides whether to wait in
 * between: on SQLite all callers share one connection, and a transaction that waits would let statements of
 * other callers in. The error of a statement is thrown where the script yielded it.
 */
export type SqlScript<T> = Generator<Statement, T, QueryResult>;

/** One statement as a script. */
export function* asScript(statement: Statement): SqlScript<QueryResult> {
  return yield statement;
}

/** On a server's connection, or where statements of other callers may come in between. */
export async function runScript<T>(script: SqlScript<T>, runner: QueryRunner): Promise<T> {
  let next = script.next();
  while (!next.done) {
    const statement = next.value;
    let result: QueryResult;
    try {
      result = await runStatement(statement, runner);
    } catch (error) {
      next = script.throw(error);
      continue;
    }
    next = script.next(result);
  }
  return next.value;
}

export function runScriptSync<T>(script: SqlScript<T>, run: (statement: Statement) => QueryResult): T {
  let next = script.next();
  while (!next.done) {
    let result: QueryResult;
    try {
      result = run(next.value);
    } catch (error) {
      next = script.throw(error);
      continue;
    }
    next = script.next(result);
  }
  return next.value;
}

export async function runStatement(
  { text, parameters, prepared }: Statement,
  runner: QueryRunner,
): Promise<QueryResult> {
  if (prepared) return prepared.run(runner, parameters);
  const { records, affected, raw } = await runner.query(text, [...parameters], true);
  const header = raw as { insertId?: number } | undefined;
  return { rows: records ?? [], affected: affected ?? 0, insertId: Number(header?.insertId ?? 0) };
}

export const locksRows = (dataSource: DataSource): boolean => capabilitiesOf(dataSource).locksRows;

const underWay = new Map<QueryRunner, Promise<unknown>>();

/** Resolves when no transaction of {@link runTogether} is under way on this connection. */
export const untilApart = async (runner: QueryRunner): Promise<void> => {
  await underWay.get(runner)?.catch(() => undefined);
};

/**
 * Runs a script in a transaction, where each connection of the database has transactions of its own. In a
 * transaction that is open, the script becomes part of it.
 */
export async function runTogether<T>(script: SqlScript<T>, runner: QueryRunner): Promise<T> {
  if (runner.isTransactionActive || !locksRows(dataSourceOf(runner))) return runScript(script, runner);
  const done = inTransaction(script, runner);
  underWay.set(runner, done);
  try {
    return await done;
  } finally {
    // Not left to a WeakMap, which would keep the results of the script, with its runner, over the next
    // collections.
    underWay.delete(runner);
  }
}

async function inTransaction<T>(script: SqlScript<T>, runner: QueryRunner): Promise<T> {
  // Not by `startTransaction`, which would raise transaction events of the application.
  await runner.query('START TRANSACTION');
  try {
    const result = await runScript(script, runner);
    await runner.query('COMMIT');
    return result;
  } catch (error) {
    // The error of the script tells more than an error of the rollback.
    await runner.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
