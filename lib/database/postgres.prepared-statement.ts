import { createHash } from 'node:crypto';
import { QueryFailedError, type DataSource, type QueryRunner } from 'typeorm';
import type { QueryResult, Runnable } from './sql-script.js';

/** The part of pg's client that is used here. */
interface Client {
  query(query: { name: string; text: string; values: readonly unknown[] }): Promise<{
    rows: QueryResult['rows'];
    rowCount: number | null;
  }>;
}

/**
 * A statement that each connection parses and plans once, which saves a third of its time inside the entity's
 * transaction. TypeORM cannot name statements, so this one goes to the driver's client, with the log and the
 * error that TypeORM would give.
 */
export class PreparedStatement implements Runnable {
  private readonly name: string;

  constructor(
    private readonly dataSource: DataSource,
    private readonly text: string,
  ) {
    // Named by its text: a pooler may give one connection to applications with different tables.
    this.name = `parity_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
  }

  async run(runner: QueryRunner, parameters: readonly unknown[]): Promise<QueryResult> {
    const values = [...parameters];
    const { dataSource, name, text } = this;
    const client = (await runner.connect()) as Client;
    dataSource.logger.logQuery(text, values, runner);
    try {
      const { rows, rowCount } = await client.query({ name, text, values });
      return { rows, affected: rowCount ?? 0, insertId: 0 };
    } catch (error) {
      dataSource.logger.logQueryError(error as Error, text, values, runner);
      throw new QueryFailedError(text, values, error as Error);
    }
  }
}
