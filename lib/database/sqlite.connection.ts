import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { transactionIsOpen } from './committed-data.js';
import { runScriptSync, type QueryResult, type Statement, type SqlScript } from './sql-script.js';
import type { CompiledStatements } from './compiled-statements.js';
import type { Connection, Query } from './connection.js';

export interface SqliteConnectionOptions {
  /** How long a read waits for another caller's transaction, in ms; then it runs inside it. */
  readonly readPatienceMs: number;
  /** The same for a write, which then throws `busy()`. */
  readonly writePatienceMs: number;
  /** The error of a write that met a transaction which stays open. */
  readonly busy: () => Error;
  /** Whether statements and their parameters go to the logger of the DataSource. */
  readonly logs: boolean;
}

/** For pending syncs: a write gives up only where another transaction seems to have no end. */
const PENDING_SYNCS: SqliteConnectionOptions = {
  readPatienceMs: 5_000,
  writePatienceMs: 30_000,
  busy: transactionIsOpen,
  logs: true,
};

/** The part of better-sqlite3 that is used here. */
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
 * All callers share one connection; a second one to the same file would block the whole process while it
 * waits for the file's lock. A statement of the module waits until no transaction is open. Then it runs on
 * the driver's handle in the same turn, so that no caller can begin a transaction in between and roll the
 * statement back with it. If the transaction stays open, a read runs all the same, because the transaction
 * may be its caller's; a write throws.
 */
export class SqliteConnection implements Connection {
  private readonly prepared = new Map<string, PreparedStatement>();
  private handle: Handle | undefined;
  private time = 0;

  constructor(
    private readonly dataSource: DataSource,
    private readonly statements: CompiledStatements,
    private readonly options = PENDING_SYNCS,
  ) {}

  use<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return work((sql, parameters) =>
      sql.startsWith('SELECT')
        ? this.whenFree(() => this.run(sql, parameters))
        : this.alone(() => this.run(sql, parameters)),
    );
  }

  /**
   * Waits until no transaction is open, and then runs `work` in the same turn.
   *
   * @param work is told whether a transaction is still open
   */
  async whenFree<T>(work: (isShared: boolean) => T, patience = this.options.readPatienceMs): Promise<T> {
    const end = Date.now() + patience;
    while (this.database.inTransaction && Date.now() < end) await sleep(2);
    return work(this.database.inTransaction);
  }

  inTurn<T>(script: SqlScript<T>): Promise<T> {
    return this.transaction(script);
  }

  /** In one turn, so that no statement of another caller gets into the transaction. */
  transaction<T>(script: SqlScript<T>): Promise<T> {
    const work = (): T => runScriptSync(script, (statement) => this.runStatement(statement));
    return this.alone(() => this.database.transaction(work)());
  }

  /** @throws what `busy` gives if another caller's transaction, which could be rolled back, stays open */
  private alone<T>(work: () => T): Promise<T> {
    const { busy, writePatienceMs } = this.options;
    return this.whenFree((isShared) => {
      if (isShared) throw busy();
      return work();
    }, writePatienceMs);
  }

  within(): Query {
    return async (sql, parameters) => this.run(sql, parameters);
  }

  /** In this turn, whether a transaction is open or not. */
  run(sql: string, parameters: readonly unknown[] = []): QueryResult {
    return this.runStatement(this.statement(sql, parameters));
  }

  statement(sql: string, parameters: readonly unknown[]): Statement {
    const { text, order } = this.statements.of(sql);
    const now = this.now();
    return { text, parameters: order.map((index) => (index === 'now' ? now : parameters[index])) };
  }

  private runStatement({ text, parameters }: Statement): QueryResult {
    if (this.options.logs) this.dataSource.logger.logQuery(text, [...parameters]);
    const statement = this.prepare(text);
    if (statement.reader) {
      // The driver's arrays belong to the realm that loaded it first, which under a test runner is another
      // one.
      const rows = [...statement.all(...parameters)];
      return { rows, affected: rows.length, insertId: 0 };
    }
    return { rows: [], affected: statement.run(...parameters).changes, insertId: 0 };
  }

  /**
   * The same statement once per row: binding a prepared statement again costs less than reading rows from
   * JSON.
   *
   * @returns the row that each execution returned
   */
  runEach(sql: string, rows: readonly (readonly unknown[])[]): (Record<string, unknown> | undefined)[] {
    if (rows.length === 0) return [];
    const { text, order } = this.statements.of(sql);
    if (this.options.logs) this.dataSource.logger.logQuery(text, [`${rows.length} rows`]);
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
   * The machine's clock, raised by a microsecond per call, so that captures within a millisecond keep their
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
    // A DataSource that was closed and opened again has another handle.
    if (databaseConnection !== this.handle) {
      this.prepared.clear();
      this.handle = databaseConnection;
    }
    return databaseConnection;
  }
}
