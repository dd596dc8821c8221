import type { DataSource, QueryRunner } from 'typeorm';
import { withConnection } from './connection-share.js';
import { runStatement, runScript, runTogether, type Statement, type SqlScript } from './sql-script.js';
import type { Connection, Query, CompiledStatements } from './connection.js';

/** PostgreSQL, MySQL, MariaDB: a connection of the pool, or the caller's while the caller waits. */
export class ServerConnection implements Connection {
  constructor(
    private readonly dataSource: DataSource,
    private readonly statements: CompiledStatements,
    /** The caller's connection after its commit: with a pool of one there is no second. */
    private readonly own: () => QueryRunner | undefined,
  ) {}

  use<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.on((runner) => work(this.within(runner)));
  }

  inTurn<T>(script: SqlScript<T>): Promise<T> {
    return this.on((runner) => runScript(script, runner));
  }

  transaction<T>(script: SqlScript<T>): Promise<T> {
    return this.on((runner) => runTogether(script, runner));
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

  private on<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const own = this.own();
    return withConnection(this.dataSource, own?.isTransactionActive ? undefined : own, work);
  }
}
