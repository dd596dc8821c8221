import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { dataSourceOf } from '../../../database/data-source-of.js';
import { oauthColumnType, type OAuthColumnKind, type OAuthColumnType } from './oauth-columns.js';
import {
  OAUTH_LOCK,
  OAUTH_SESSION,
  OAUTH_STATE,
  oauthDialectOf,
  oauthTablePath,
  type OAuthTable,
} from './oauth-tables.js';

/** As of this migration: what the entities say later comes with a migration of its own. The first column is the key. */
const tables: readonly {
  readonly name: OAuthTable;
  readonly columns: Readonly<Record<string, OAuthColumnKind>>;
  readonly index?: string;
}[] = [
  {
    name: OAUTH_STATE,
    columns: { id: 'key(255)', value: 'text', created_at: 'time' },
    index: 'created_at',
  },
  { name: OAUTH_SESSION, columns: { did: 'key(512)', value: 'text', updated_at: 'time' } },
  {
    name: OAUTH_LOCK,
    columns: { name: 'key(700)', token: 'key(64)', expires_at: 'time' },
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
          name: oauthTablePath(dataSource, name),
          columns: Object.entries(columns).map(([column, kind], position) =>
            tableColumn(column, oauthColumnType(kind, dialect), position === 0),
          ),
          indices: index === undefined ? [] : [new TableIndex({ columnNames: [index] })],
        }),
      );
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const { name } of tables.toReversed()) {
      await queryRunner.dropTable(oauthTablePath(dataSourceOf(queryRunner), name));
    }
  }
}

const tableColumn = (name: string, type: OAuthColumnType, isPrimary: boolean) => ({
  name,
  ...type,
  isPrimary,
});
