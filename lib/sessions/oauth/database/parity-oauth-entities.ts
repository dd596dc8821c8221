import { BaseEntity, EntitySchema, type DataSource } from 'typeorm';
import { oauthColumnType, type OAuthColumnKind } from './oauth-columns.js';
import { OAUTH_LOCK, OAUTH_SESSION, OAUTH_STATE, oauthDialectOf } from './oauth-tables.js';

type Columns = Readonly<Record<string, OAuthColumnKind>>;

const STATE: Columns = { id: 'key(255)', value: 'text', created_at: 'time' };
const SESSION: Columns = { did: 'key(512)', value: 'text', updated_at: 'time' };
const LOCK: Columns = { name: 'key(700)', token: 'key(64)', expires_at: 'time' };

/**
 * TypeORM builds the metadata of an entity without knowing for which database, and calls `useDataSource` once it knows: after the
 * metadata is built and before it is compared with the schema. The collation of the keys has no name that all databases understand.
 */
function fitDialect(dataSource: DataSource, target: Function, columns: Columns): void {
  const dialect = oauthDialectOf(dataSource);
  for (const column of dataSource.getMetadata(target).columns) {
    const kind = columns[column.propertyName];
    if (kind) Object.assign(column, oauthColumnType(kind, dialect));
  }
}

class ParityOAuthState extends BaseEntity {
  static override useDataSource(dataSource: DataSource): void {
    fitDialect(dataSource, ParityOAuthState, STATE);
  }
}

class ParityOAuthSession extends BaseEntity {
  static override useDataSource(dataSource: DataSource): void {
    fitDialect(dataSource, ParityOAuthSession, SESSION);
  }
}

class ParityOAuthLock extends BaseEntity {
  static override useDataSource(dataSource: DataSource): void {
    fitDialect(dataSource, ParityOAuthLock, LOCK);
  }
}

/** The tables of OAuth sessions in the database. They are the module's own: what they hold is encrypted. */
export const parityOAuthEntities: EntitySchema[] = [
  schemaOf(ParityOAuthState, OAUTH_STATE, STATE, 'created_at'),
  schemaOf(ParityOAuthSession, OAUTH_SESSION, SESSION),
  schemaOf(ParityOAuthLock, OAUTH_LOCK, LOCK, 'expires_at'),
];

/** The first column is the key. */
function schemaOf(target: Function, tableName: string, columns: Columns, index?: string): EntitySchema {
  return new EntitySchema({
    name: target.name,
    target,
    tableName,
    columns: Object.fromEntries(
      Object.entries(columns).map(([name, kind], position) => [
        name,
        { name, type: oauthColumnType(kind, 'sqlite').type, primary: position === 0 },
      ]),
    ),
    indices: index === undefined ? [] : [{ columns: [index] }],
  });
}
