import type { QueryRunner } from 'typeorm';
import { dataSourceOf } from './data-source-of.js';

/** A statement as the driver takes it. */
export interface Statement {
  readonly text: string;
  readonly parameters: readonly unknown[];
  /** Runs it instead, where the driver knows statements that are prepared. */
  readonly prepared?: Runnable | undefined;
}

/** Runs a statement in a way of its own. */
export interface Runnable {
  run(runner: QueryRunner, parameters: readonly unknown[]): Promise<QueryResult>;
}

export interface QueryResult {
  readonly rows: readonly Record<string, unknown>[];
  readonly affected: number;
  /** MySQL: what `LAST_INSERT_ID(n)` was given. */
  readonly insertId: number;
}

/**
 * Statements of which each may depend on the answers before it. Whoever runs them decides whether to wait in
 * between: on SQLite, where everybody shares one connection, a transaction that waits lets strangers'
 * statements in. The error of a statement is thrown where it was yielded.
 */
export type SqlScript<T> = Generator<Statement, T, QueryResult>;

/** One statement as a script. */
export function* asScript(statement: Statement): SqlScript<QueryResult> {
  return yield statement;
}

/** On a server's connection, or on any other for which it does not matter who comes in between. */
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

/** Databases where each connection has transactions of its own, and that lock rows. */
const LOCKING: ReadonlySet<string> = new Set(['postgres', 'mysql', 'mariadb']);

export const locksRows = ({ options: { type } }: ReturnType<typeof dataSourceOf>): boolean =>
  LOCKING.has(type);

const underWay = new Map<QueryRunner, Promise<unknown>>();

/** Resolves when no transaction of {@link runTogether} is under way on this connection. */
export const untilApart = async (runner: QueryRunner): Promise<void> => {
  await underWay.get(runner)?.catch(() => undefined);
};

/**
 * SqlScript that happen together or not at all, where the database has transactions of a connection's own; in one
 * that is open, with it.
 */
export async function runTogether<T>(script: SqlScript<T>, runner: QueryRunner): Promise<T> {
  if (runner.isTransactionActive || !locksRows(dataSourceOf(runner))) return runScript(script, runner);
  const done = inTransaction(script, runner);
  underWay.set(runner, done);
  try {
    return await done;
  } finally {
    // Not left to a WeakMap: all that the script gave would outlive the next collections with its runner.
    underWay.delete(runner);
  }
}

async function inTransaction<T>(script: SqlScript<T>, runner: QueryRunner): Promise<T> {
  // By hand: `startTransaction` would raise transaction events, which are the application's.
  await runner.query('START TRANSACTION');
  try {
    const result = await runScript(script, runner);
    await runner.query('COMMIT');
    return result;
  } catch (error) {
    // What went wrong is worth more than that undoing it did, too.
    await runner.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
