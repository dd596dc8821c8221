import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { dataSourceOf } from '../../../database/data-source-of.js';
import { tableColumns, type TableColumns } from '../../../database/table-columns.js';
import { tablePath } from '../../../database/tables.js';
import { OAUTH_LOCK, OAUTH_SESSION, OAUTH_STATE, oauthDialectOf, type OAuthTable } from './oauth-tables.js';

/** As of this migration: a later change of the entities comes with a migration of its own. */
const tables: readonly {
  readonly name: OAuthTable;
  readonly columns: TableColumns;
  readonly index?: string;
}[] = [
  {
    name: OAUTH_STATE,
    columns: { id: 'key(255) primary', value: 'json', created_at: 'time' },
    index: 'created_at',
  },
  { name: OAUTH_SESSION, columns: { did: 'key(512) primary', value: 'json', updated_at: 'time' } },
  {
    name: OAUTH_LOCK,
    columns: { name: 'key(700) primary', token: 'key(64)', expires_at: 'time' },
    index: 'expires_at',
  },
];

/** Makes the tables of OAuth sessions, under the DataSource's schema, prefix and naming strategy. */
export class CreateParityOAuthTables1795392000001 implements MigrationInterface {
  readonly name = 'CreateParityOAuthTables1795392000001';

  async up(queryRunner: QueryRunner): Promise<void> {
    const dataSource = dataSourceOf(queryRunner);
    const dialect = oauthDialectOf(dataSource);
    for (const { name, columns, index } of tables) {
      await queryRunner.createTable(
        new Table({
          name: tablePath(dataSource, name),
          columns: tableColumns(columns, dialect),
          indices: index === undefined ? [] : [new TableIndex({ columnNames: [index] })],
        }),
      );
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const { name } of tables.toReversed()) {
      await queryRunner.dropTable(tablePath(dataSourceOf(queryRunner), name));
    }
  }
}
