import type { DataSource } from 'typeorm';
import { ParityOptionsError } from '../../../errors/parity-options.error.js';

/** Sign-ins under way. */
export const OAUTH_STATE = 'parity_oauth_state';
/** One row per account that is signed in. */
export const OAUTH_SESSION = 'parity_oauth_session';
/** Leases: one row per account whose session was ever refreshed here, for a day. */
export const OAUTH_LOCK = 'parity_oauth_lock';

export const OAUTH_TABLES = [OAUTH_STATE, OAUTH_SESSION, OAUTH_LOCK] as const;
export type OAuthTable = (typeof OAUTH_TABLES)[number];

export type OAuthDialect = 'postgres' | 'mysql' | 'sqlite';

const dialects: Readonly<Record<string, OAuthDialect>> = {
  postgres: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  'better-sqlite3': 'sqlite',
};

/** @throws ParityOptionsError for a database that sessions cannot be kept in */
export function oauthDialectOf({ options: { type } }: DataSource): OAuthDialect {
  const dialect = dialects[type];
  if (dialect) return dialect;
  throw new ParityOptionsError(
    `OAuth sessions cannot be kept in a DataSource of type '${type}': it takes ${Object.keys(dialects).join(', ')}. ` +
      'Use one of these, or stores of your own (oauth.stateStore, oauth.sessionStore).',
  );
}

/** Where a table is: in the schema of the DataSource, under the name that its naming strategy and prefix give. */
export function oauthTablePath(dataSource: DataSource, name: OAuthTable): string {
  const known = dataSource.entityMetadatas.find(({ givenTableName }) => givenTableName === name);
  if (known) return known.tablePath;
  // Made by the migrations, without the entities being registered.
  const { driver, namingStrategy, options } = dataSource;
  const plain = namingStrategy.tableName(name, name);
  const prefixed = options.entityPrefix ? namingStrategy.prefixTableName(options.entityPrefix, plain) : plain;
  return driver.buildTableName(prefixed, 'schema' in options ? options.schema : undefined);
}

/** @throws ParityOptionsError that says how to get the tables of OAuth sessions, if they are not there */
export async function ensureOAuthTables(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner('master');
  try {
    for (const name of OAUTH_TABLES) {
      const path = oauthTablePath(dataSource, name);
      if (!(await runner.hasTable(path))) throw missing(path, dataSource);
    }
  } finally {
    await runner.release();
  }
}

const missing = (path: string, { options: { synchronize } }: DataSource): ParityOptionsError =>
  new ParityOptionsError(
    `OAuth sessions are to be kept in the database, and the table ${path} does not exist. ` +
      (synchronize === true
        ? 'Add parityEntities to the entities of the DataSource, or set autoLoadEntities: true in TypeOrmModule.forRoot().'
        : 'Add parityMigrations to the migrations of the DataSource and run them, or generate a migration of your own with ' +
          'parityEntities among its entities (autoLoadEntities: true adds them).'),
  );
