import { BaseEntity, EntitySchema, type DataSource } from 'typeorm';
import { fitColumns, schemaColumns, type TableColumns } from '../../../database/table-columns.js';
import { OAUTH_LOCK, OAUTH_SESSION, OAUTH_STATE, oauthDialectOf } from './oauth-tables.js';

const STATE: TableColumns = { id: 'key(255) primary', value: 'json', created_at: 'time' };
const SESSION: TableColumns = { did: 'key(512) primary', value: 'json', updated_at: 'time' };
const LOCK: TableColumns = { name: 'key(700) primary', token: 'key(64)', expires_at: 'time' };

const fitDialect = (dataSource: DataSource, target: Function, columns: TableColumns): void =>
  fitColumns(dataSource, target, columns, oauthDialectOf(dataSource));

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

/** The tables of OAuth sessions. They are the module's own, and their contents are encrypted. */
export const parityOAuthEntities: EntitySchema[] = [
  schemaOf(ParityOAuthState, OAUTH_STATE, STATE, 'created_at'),
  schemaOf(ParityOAuthSession, OAUTH_SESSION, SESSION),
  schemaOf(ParityOAuthLock, OAUTH_LOCK, LOCK, 'expires_at'),
];

function schemaOf(target: Function, tableName: string, columns: TableColumns, index?: string): EntitySchema {
  return new EntitySchema({
    name: target.name,
    target,
    tableName,
    columns: schemaColumns(columns),
    indices: index === undefined ? [] : [{ columns: [index] }],
  });
}
