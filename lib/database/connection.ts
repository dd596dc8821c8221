import type { QueryRunner } from 'typeorm';
import type { QueryResult, Statement, SqlScript } from './sql-script.js';

/** Runs one statement. Parameters are `$1`, `$2`, ... in any order and as often as wanted; `$now` is the time. */
export type Query = (sql: string, parameters?: readonly unknown[]) => Promise<QueryResult>;

/**
 * How the store reaches its database for work of its own: never inside a transaction that somebody else may roll back.
 * What is done inside the entity's transaction goes through {@link Connection.within}.
 */
export interface Connection {
  /** One statement or several, on one connection, each for itself. */
  use<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** SqlScript of which each stands for itself. */
  inTurn<T>(script: SqlScript<T>): Promise<T>;
  /** A statement as a statement. */
  statement(sql: string, parameters: readonly unknown[]): Statement;
  /** Several statements that happen together or not at all. */
  transaction<T>(script: SqlScript<T>): Promise<T>;
  /** Statements on a connection that its caller answers for. */
  within(runner: QueryRunner): Query;
}

export interface CompiledStatement {
  readonly text: string;
  /** Which parameter goes where; `now` for the time. */
  readonly order: readonly (number | 'now')[];
}

/** From `$1` and `$now` to what a driver takes, once per text. */
export class CompiledStatements {
  private readonly compiled = new Map<string, CompiledStatement>();

  constructor(private readonly compile: (sql: string) => CompiledStatement) {}

  of(sql: string): CompiledStatement {
    let statement = this.compiled.get(sql);
    if (!statement) this.compiled.set(sql, (statement = this.compile(sql)));
    return statement;
  }
}

/** For drivers whose parameters have no numbers. @param now the time as SQL; without it, it is a parameter too */
export const positional =
  (now?: string) =>
  (sql: string): CompiledStatement => {
    const order: (number | 'now')[] = [];
    const text = sql.replaceAll(/\$(now\b|\d+)/g, (_, name: string) => {
      if (name === 'now' && now !== undefined) return now;
      order.push(name === 'now' ? 'now' : Number(name) - 1);
      return '?';
    });
    return { text, order };
  };

/** PostgreSQL's own parameters are like ours. */
export const numbered =
  (now: string) =>
  (sql: string): CompiledStatement => ({ text: sql.replaceAll(/\$now\b/g, now), order: [] });
