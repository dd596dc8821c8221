import type { DataSource } from 'typeorm';
import { capabilitiesOf } from '../../../database/capabilities.js';
import { CompiledStatements } from '../../../database/compiled-statements.js';
import type { Connection } from '../../../database/connection.js';
import type { Dialect } from '../../../database/dialect.js';
import { OwnPool } from '../../../database/own-pool.js';
import { ServerConnection } from '../../../database/server.connection.js';
import { SqliteConnection } from '../../../database/sqlite.connection.js';
import type { QueryResult } from '../../../database/sql-script.js';
import { escapedTable } from '../../../database/tables.js';
import { SessionStoreError } from '../../../errors/session-store.error.js';
import { ensureOAuthTables, oauthDialectOf, type OAuthTable } from './oauth-tables.js';

/** How long a write waits for another caller's transaction on SQLite, in ms. */
const WRITE_PATIENCE = 2_000;

interface Opened {
  readonly application: DataSource;
  readonly dialect: Dialect;
  readonly connection: Connection;
  /** Not on SQLite. */
  readonly pool?: OwnPool;
}

/**
 * How sessions reach their database: one statement at a time, each committed by itself, never in a
 * transaction of the application. A refreshed session that a caller's rollback takes away is lost, because
 * its refresh token is used up.
 *
 * - On servers, sessions have a small pool of their own. A session may be needed while the application holds
 *   all of its connections, in transactions that wait for this very session.
 * - On SQLite, sessions share the application's connection. A read runs at once; a write throws where a
 *   transaction stays open.
 */
export class OAuthDatabase {
  #opened: Opened | undefined;

  /** @param application called at the first use: Nest may make the DataSource after the stores */
  constructor(
    private readonly application: () => DataSource,
    private readonly poolSize: number,
  ) {}

  get dialect(): Dialect {
    return this.#open().dialect;
  }

  /** The table's name as SQL. */
  table(name: OAuthTable): string {
    return escapedTable(this.#open().application, name);
  }

  /**
   * @param sql with `$1`, `$2`, ... for the parameters, and `$now` for the time in microseconds since 1970
   */
  async read(sql: string, parameters: readonly unknown[]): Promise<QueryResult['rows']> {
    return (await this.#query(sql, parameters)).rows;
  }

  /** @returns how many rows it changed, or found to be changed */
  async write(sql: string, parameters: readonly unknown[]): Promise<number> {
    return (await this.#query(sql, parameters)).affected;
  }

  /** @throws ParityOptionsError that says how to get the tables, if they are not there */
  async ensureTables(): Promise<void> {
    await ensureOAuthTables(this.application());
  }

  async close(): Promise<void> {
    await this.#opened?.pool?.close();
  }

  #query(sql: string, parameters: readonly unknown[]): Promise<QueryResult> {
    const { application, connection, pool } = this.#open();
    if (!pool && !application.isInitialized)
      throw new SessionStoreError('The DataSource of the OAuth sessions is not connected.');
    return connection.use((query) => query(sql, parameters));
  }

  #open(): Opened {
    if (this.#opened) return this.#opened;
    const application = this.application();
    const dialect = oauthDialectOf(application);
    const statements = new CompiledStatements(dialect);
    if (capabilitiesOf(application).sharesConnection) {
      const connection = new SqliteConnection(application, statements, {
        readPatienceMs: 0,
        writePatienceMs: WRITE_PATIENCE,
        busy: transactionIsOpen,
        // Rows of sessions belong in no log, encrypted or not.
        logs: false,
      });
      return (this.#opened = { application, dialect, connection });
    }
    const pool = new OwnPool(application, this.poolSize, connectionsAreClosed);
    const connection = new ServerConnection(statements, (work) => pool.use(work));
    return (this.#opened = { application, dialect, connection, pool });
  }
}

const connectionsAreClosed = (): SessionStoreError =>
  new SessionStoreError('The connections of the OAuth sessions are closed.');

const transactionIsOpen = (): SessionStoreError =>
  new SessionStoreError(
    `A transaction has been open on the SQLite connection for ${WRITE_PATIENCE / 1_000} seconds; an OAuth session is not ` +
      'written into it, because a rollback would lose the session.',
  );
