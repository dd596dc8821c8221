import type { DataSource } from 'typeorm';
import { checkNames, type OptionNames } from '../../../model/option-checks.js';
import { Cipher, ENCRYPTION_NAMES, type EncryptionOptions } from '../encryption/cipher.js';
import { leaseLock } from '../lease-lock.js';
import type { OAuthStores } from '../oauth-options.js';
import { DatabaseLeases } from './database-leases.js';
import { DatabaseOAuthSessionStore } from './database-oauth-session.store.js';
import { DatabaseOAuthStateStore } from './database-oauth-state.store.js';
import { OAuthCleanup } from './oauth-cleanup.js';
import { OAuthDatabase } from './oauth-database.js';

export interface DatabaseOAuthOptions extends EncryptionOptions {
  /** Connections of their own that sessions take (on SQLite they share the application's). Default: 2. */
  readonly poolSize?: number;
}

const OPTION_NAMES: OptionNames<DatabaseOAuthOptions> = { ...ENCRYPTION_NAMES, poolSize: true };

/** The three options of `oauth` that belong together, and their start and end. */
export interface DatabaseOAuthStores extends Required<OAuthStores> {
  readonly sessionStore: DatabaseOAuthSessionStore;
  readonly stateStore: DatabaseOAuthStateStore;
  /** @throws ParityOptionsError that says how to get the tables, if they are not there */
  ensureTables(): Promise<void>;
  /** Closes their own connections; a later use throws. */
  close(): Promise<void>;
}

/**
 * OAuth sessions, sign-ins under way and the lock for several processes, in the application's database:
 * PostgreSQL, MySQL, MariaDB, or SQLite (better-sqlite3).
 *
 * ```ts
 * oauth: { clientMetadata, ...databaseOAuthStores(dataSource, { encryptionKeys: [process.env.SESSION_KEY] }) }
 * ```
 *
 * - On servers they have a small pool of their own, opened when first needed. A session can be read while the
 *   application uses all of its connections.
 * - On SQLite they share the application's connection. Reads run at once. Writes wait up to two seconds until
 *   no transaction is open, and then fail rather than be rolled back with it. SQLite is fit for one process.
 * - The tables come with `parityEntities` or `parityMigrations`.
 *
 * @param source the application's DataSource, or a function that gives it, called when it is first needed
 * @throws ParityOptionsError for invalid keys, or a name that no option has
 */
export function databaseOAuthStores(
  source: DataSource | (() => DataSource),
  options: DatabaseOAuthOptions,
): DatabaseOAuthStores {
  checkNames('databaseOAuthStores()', options, OPTION_NAMES, true);
  const { poolSize = 2, ...encryption } = options;
  const cipher = new Cipher(encryption);
  const database = new OAuthDatabase(typeof source === 'function' ? source : () => source, poolSize);
  const cleanup = new OAuthCleanup(database);
  return {
    stateStore: new DatabaseOAuthStateStore(database, cipher, () => cleanup.nudge()),
    sessionStore: new DatabaseOAuthSessionStore(database, cipher),
    requestLock: leaseLock(new DatabaseLeases(database)),
    ensureTables: () => database.ensureTables(),
    async close() {
      await cleanup.settled();
      await database.close();
    },
  };
}
