import type { DataSource } from 'typeorm';
import { dialectOf, type Dialect } from '../../../database/dialect.js';
import { requireTables } from '../../../database/tables.js';
import { ParityOptionsError } from '../../../errors/parity-options.error.js';

/** Sign-ins under way. */
export const OAUTH_STATE = 'parity_oauth_state';
/** One row per account that is signed in. */
export const OAUTH_SESSION = 'parity_oauth_session';
/** Leases: one row per account whose session was ever refreshed here, for a day. */
export const OAUTH_LOCK = 'parity_oauth_lock';

const OAUTH_TABLES = [OAUTH_STATE, OAUTH_SESSION, OAUTH_LOCK] as const;
export type OAuthTable = (typeof OAUTH_TABLES)[number];

/** @throws ParityOptionsError for a database that sessions cannot be kept in */
export const oauthDialectOf = (dataSource: DataSource): Dialect =>
  dialectOf(dataSource, {
    what: 'OAuth sessions',
    instead: 'stores of your own (oauth.stateStore, oauth.sessionStore)',
  });

/** @throws ParityOptionsError that says how to get the tables of OAuth sessions, if they are not there */
export const ensureOAuthTables = (dataSource: DataSource): Promise<void> =>
  requireTables(dataSource, OAUTH_TABLES, missing);

const missing = (path: string, synchronizes: boolean): ParityOptionsError =>
  new ParityOptionsError(
    `OAuth sessions are to be kept in the database, and the table ${path} does not exist. ` +
      (synchronizes
        ? 'Add parityEntities to the entities of the DataSource, or set autoLoadEntities: true in TypeOrmModule.forRoot().'
        : 'Add parityMigrations to the migrations of the DataSource and run them, or generate a migration of your own with ' +
          'parityEntities among its entities (autoLoadEntities: true adds them).'),
  );
