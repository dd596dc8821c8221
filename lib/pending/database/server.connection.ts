import type { DataSource, QueryRunner } from 'typeorm';
import { withConnection } from '../../records/connection-share.js';
import { runStep, runSteps, runTogether, type Step, type Steps } from '../../records/steps.js';
import type { Connection, Query, Statements } from './connection.js';

/** PostgreSQL, MySQL, MariaDB: a connection of the pool, or the caller's while the caller waits. */
export class ServerConnection implements Connection {
  constructor(
    private readonly dataSource: DataSource,
    private readonly statements: Statements,
    /** The caller's connection after its commit: with a pool of one there is no second. */
    private readonly own: () => QueryRunner | undefined,
  ) {}

  use<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.on((runner) => work(this.within(runner)));
  }

  inTurn<T>(steps: Steps<T>): Promise<T> {
    return this.on((runner) => runSteps(steps, runner));
  }

  transaction<T>(steps: Steps<T>): Promise<T> {
    return this.on((runner) => runTogether(steps, runner));
  }

  within(runner: QueryRunner): Query {
    return (sql, parameters = []) => runStep(this.step(sql, parameters), runner);
  }

  step(sql: string, parameters: readonly unknown[]): Step {
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
