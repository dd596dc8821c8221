import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { transactionIsOpen } from './committed-data.js';
import { runScriptSync, type QueryResult, type Statement, type SqlScript } from './sql-script.js';
import type { Connection, Query, CompiledStatements } from './connection.js';

/** How long to wait for another caller's transaction, in ms. */
const PATIENCE = 5_000;
/** The same for what writes: it gives its place up only to a transaction that seems to have no end. */
const LONG_PATIENCE = 30_000;

/** What is used of better-sqlite3. */
interface Handle {
  readonly inTransaction: boolean;
  prepare(sql: string): PreparedStatement;
  transaction<T>(work: () => T): () => T;
}

interface PreparedStatement {
  readonly reader: boolean;
  all(...parameters: unknown[]): Record<string, unknown>[];
  get(...parameters: unknown[]): Record<string, unknown> | undefined;
  run(...parameters: unknown[]): { changes: number };
}

/**
 * All callers share one connection. A statement of the module's own waits until no transaction is open, and
 * then runs on the driver's handle at once: no caller can begin a transaction in between, and roll it back
 * with its own. After five seconds what only reads goes on all the same, because the transaction may be its
 * caller's; what writes comes back later.
 */
export class SqliteConnection implements Connection {
  private readonly prepared = new Map<string, PreparedStatement>();
  private handle: Handle | undefined;
  private time = 0;

  constructor(
    private readonly dataSource: DataSource,
    private readonly statements: CompiledStatements,
  ) {}

  use<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return work((sql, parameters) =>
      sql.startsWith('SELECT')
        ? this.whenFree(() => this.run(sql, parameters))
        : this.alone(() => this.run(sql, parameters)),
    );
  }

  /**
   * Does something at once when no transaction is open: between that look and the work nobody gets his turn.
   *
   * @param work is told whether one is open all the same
   */
  async whenFree<T>(work: (shared: boolean) => T, patience = PATIENCE): Promise<T> {
    const end = Date.now() + patience;
    while (this.database.inTransaction && Date.now() < end) await sleep(2);
    return work(this.database.inTransaction);
  }

  inTurn<T>(script: SqlScript<T>): Promise<T> {
    return this.transaction(script);
  }

  /** Without a pause, so that no stranger can join it. */
  transaction<T>(script: SqlScript<T>): Promise<T> {
    const work = (): T => runScriptSync(script, (statement) => this.runStatement(statement));
    return this.alone(() => this.database.transaction(work)());
  }

  /** @throws RetryLaterError if another caller's transaction, which could be rolled back, is open for long */
  private alone<T>(work: () => T): Promise<T> {
    return this.whenFree((shared) => {
      if (shared) throw transactionIsOpen();
      return work();
    }, LONG_PATIENCE);
  }

  within(): Query {
    return async (sql, parameters) => this.run(sql, parameters);
  }

  /** At once. */
  run(sql: string, parameters: readonly unknown[] = []): QueryResult {
    return this.runStatement(this.statement(sql, parameters));
  }

  statement(sql: string, parameters: readonly unknown[]): Statement {
    const { text, order } = this.statements.of(sql);
    const now = this.now();
    return { text, parameters: order.map((index) => (index === 'now' ? now : parameters[index])) };
  }

  private runStatement({ text, parameters }: Statement): QueryResult {
    this.dataSource.logger.logQuery(text, [...parameters]);
    const statement = this.prepare(text);
    if (statement.reader) {
      // An array of the driver belongs to whoever loaded it first, which under a test runner is another
      // realm.
      const rows = [...statement.all(...parameters)];
      return { rows, affected: rows.length, insertId: 0 };
    }
    return { rows: [], affected: statement.run(...parameters).changes, insertId: 0 };
  }

  /**
   * The same statement once per row: binding a prepared one again is cheaper than taking rows out of JSON.
   * Gives the row that each returned.
   */
  runEach(sql: string, rows: readonly (readonly unknown[])[]): (Record<string, unknown> | undefined)[] {
    if (rows.length === 0) return [];
    const { text, order } = this.statements.of(sql);
    this.dataSource.logger.logQuery(text, [`${rows.length} rows`]);
    const statement = this.prepare(text);
    const run = () =>
      rows.map((row) => {
        const now = this.now();
        const parameters = order.map((index) => (index === 'now' ? now : row[index]));
        if (statement.reader) return statement.get(...parameters);
        statement.run(...parameters);
        return undefined;
      });
    return this.database.inTransaction || rows.length === 1 ? run() : this.database.transaction(run)();
  }

  /**
   * SQLite has no clock but the machine's, and that in milliseconds. Two captures in one of them keep their
   * order.
   */
  private now(): number {
    const time = Date.now() * 1_000;
    const setBack = this.time - time > 1_000_000;
    this.time = time > this.time || setBack ? time : this.time + 1;
    return this.time;
  }

  private prepare(text: string): PreparedStatement {
    let statement = this.prepared.get(text);
    if (!statement) this.prepared.set(text, (statement = this.database.prepare(text)));
    return statement;
  }

  private get database(): Handle {
    const { databaseConnection } = this.dataSource.driver as unknown as { databaseConnection: Handle };
    // A DataSource that was closed and opened again has another.
    if (databaseConnection !== this.handle) {
      this.prepared.clear();
      this.handle = databaseConnection;
    }
    return databaseConnection;
  }
}
