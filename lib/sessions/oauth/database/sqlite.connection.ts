import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { SessionStoreError } from '../../../errors/session-store.error.js';
import { compiled, type OAuthConnection } from './oauth-connection.js';
import { ensureOAuthTables, oauthTablePath, type OAuthTable } from './oauth-tables.js';

/** How long to wait for somebody's transaction, in ms. */
const PATIENCE = 2_000;

/** What is used of better-sqlite3. */
interface Handle {
  readonly inTransaction: boolean;
  prepare(sql: string): {
    all(...parameters: unknown[]): Record<string, unknown>[];
    run(...parameters: unknown[]): { changes: number };
  };
}

/**
 * SQLite: the application's own connection, since a second one to the same file would block the whole process while it waits for
 * the file's lock. A read runs at once. A write waits until no transaction is open and then runs on the driver's handle within the
 * same turn, so that nobody's rollback can take it along; where a transaction stays open, it throws.
 */
export class SqliteSharedConnection implements OAuthConnection {
  readonly dialect = 'sqlite';

  constructor(private readonly application: () => DataSource) {}

  table(name: OAuthTable): string {
    return this.application().driver.escape(oauthTablePath(this.application(), name));
  }

  async read(sql: string, parameters: readonly unknown[]): Promise<readonly Record<string, unknown>[]> {
    return this.#handle.prepare(compiled(sql, 'sqlite')).all(...parameters);
  }

  async write(sql: string, parameters: readonly unknown[]): Promise<number> {
    const end = Date.now() + PATIENCE;
    while (this.#handle.inTransaction) {
      if (Date.now() >= end) {
        throw new SessionStoreError(
          `A transaction has been open on the SQLite connection for ${PATIENCE / 1_000} seconds; an OAuth session is not ` +
            'written into it, because a rollback would lose the session.',
        );
      }
      await sleep(5);
    }
    return this.#handle.prepare(compiled(sql, 'sqlite')).run(...parameters).changes;
  }

  ensureTables(): Promise<void> {
    return ensureOAuthTables(this.application());
  }

  /** The connection is the application's. */
  async close(): Promise<void> {}

  get #handle(): Handle {
    const { driver, isInitialized } = this.application();
    if (!isInitialized) throw new SessionStoreError('The DataSource of the OAuth sessions is not connected.');
    return (driver as unknown as { databaseConnection: Handle }).databaseConnection;
  }
}
