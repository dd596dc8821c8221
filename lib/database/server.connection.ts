import type { QueryRunner } from 'typeorm';
import type { CompiledStatements } from './compiled-statements.js';
import type { Connection, Query } from './connection.js';
import { runStatement, runScript, runTogether, type Statement, type SqlScript } from './sql-script.js';

/** Runs work on a connection, and gives the connection back when the work has ended. */
export type OnConnection = <T>(work: (runner: QueryRunner) => Promise<T>) => Promise<T>;

/** PostgreSQL, MySQL, MariaDB. */
export class ServerConnection implements Connection {
  constructor(
    private readonly statements: CompiledStatements,
    private readonly onConnection: OnConnection,
  ) {}

  use<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.onConnection((runner) => work(this.within(runner)));
  }

  inTurn<T>(script: SqlScript<T>): Promise<T> {
    return this.onConnection((runner) => runScript(script, runner));
  }

  transaction<T>(script: SqlScript<T>): Promise<T> {
    return this.onConnection((runner) => runTogether(script, runner));
  }

  within(runner: QueryRunner): Query {
    return (sql, parameters = []) => runStatement(this.statement(sql, parameters), runner);
  }

  statement(sql: string, parameters: readonly unknown[]): Statement {
    const { text, order } = this.statements.of(sql);
    return {
      text,
      parameters: order.length > 0 ? order.map((index) => parameters[index as number]) : parameters,
    };
  }
}
