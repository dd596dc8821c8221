import type { DataSource, QueryRunner } from 'typeorm';
import type { Answer, Connection, Query, Statements } from './connection.js';

/** PostgreSQL, MySQL, MariaDB: a connection of the pool, or the caller's while the caller waits. */
export class ServerConnection implements Connection {
  constructor(
    private readonly dataSource: DataSource,
    private readonly statements: Statements,
    /** The caller's connection after its commit: with a pool of one there is no second. */
    private readonly own: () => QueryRunner | undefined,
  ) {}

  async use<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const own = this.own();
    if (own && !own.isReleased && !own.isTransactionActive) return work(this.within(own));
    const runner = this.dataSource.createQueryRunner('master');
    try {
      return await work(this.within(runner));
    } finally {
      await runner.release();
    }
  }

  /** By hand: `startTransaction` would raise transaction events, which are the application's. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.use(async (query) => {
      await query('START TRANSACTION');
      try {
        const result = await work(query);
        await query('COMMIT');
        return result;
      } catch (error) {
        // What went wrong is worth more than that undoing it did, too.
        await query('ROLLBACK').catch(() => undefined);
        throw error;
      }
    });
  }

  within(runner: QueryRunner): Query {
    return async (sql, parameters = []): Promise<Answer> => {
      const { text, order } = this.statements.of(sql);
      const values = order.length > 0 ? order.map((index) => parameters[index as number]) : [...parameters];
      const { records, affected, raw } = await runner.query(text, values, true);
      const header = raw as { insertId?: number } | undefined;
      return { rows: records, affected: affected ?? 0, insertId: Number(header?.insertId ?? 0) };
    };
  }
}
