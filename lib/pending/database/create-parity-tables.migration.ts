import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { dataSourceOf } from '../../database/data-source-of.js';
import { tableColumns, type TableColumns } from '../../database/table-columns.js';
import { tablePath } from '../../database/tables.js';
import { INBOUND, LANE, ledgerDialectOf, LEDGER, REPOSITORY, SOURCE } from './ledger-tables.js';

/** The columns as of this migration. Later changes of the entities come with migrations of their own. */
const ledger: TableColumns = {
  rkey: 'key(512) primary',
  did: 'key(512) primary',
  collection: 'key(317) primary',
  entity_name: 'text',
  entity_id: 'text',
  operation: 'key(16)',
  triggered_by: 'key(16)',
  cid: 'key(255) null',
  keep_record: 'bool',
  given_up: 'bool',
  orphaned: 'bool',
  backfill: 'bool',
  may_delete: 'bool',
  version: 'int',
  pending_since: 'time null',
  changed_at: 'time',
  created_at: 'time',
  attempts: 'int',
  tried_at: 'time null',
  last_error: 'text null',
  session_wanted_at: 'time null',
  dead_at: 'time null',
  dead_reason: 'text null',
  rev: 'key(13) null',
  origin: 'key(8) null',
  mapped: 'key(255) null',
  foreign_fields: 'json null',
  base: 'json null',
  conflict_at: 'time null',
};

const lane: TableColumns = {
  did: 'key(512) primary',
  ready_at: 'time null',
  backfill_at: 'time null',
  token: 'int',
  leased: 'bool',
  owed: 'time null',
  wakes: 'int',
  retry_at: 'time null',
  failures: 'int',
  park_reason: 'text null',
  park_session: 'text null',
  park_code: 'key(64) null',
  unparked_at: 'time null',
  backlog_before: 'time null',
  session_backlog_before: 'time null',
  head: 'key(255) null',
  in_flight: 'json null',
  unsettled: 'json null',
  spent: 'json null',
};

const repository: TableColumns = {
  did: 'key(512) primary',
  ours: 'bool',
  status: 'key(16)',
  handle: 'text null',
  pds: 'text null',
  rev: 'key(13) null',
  collections: 'json null',
  imported_at: 'time null',
  import_at: 'time null',
  asked: 'int',
  counts: 'json null',
  last_error: 'text null',
  failures: 'int',
  token: 'int',
  leased_until: 'time null',
};

const source: TableColumns = {
  name: 'key(255) primary',
  position: 'text null',
  position_at: 'time null',
  token: 'int',
  leased_until: 'time null',
};

const inbound: TableColumns = {
  rkey: 'key(512) primary',
  did: 'key(512) primary',
  collection: 'key(317) primary',
  kind: 'key(16)',
  entity_name: 'text',
  entity_id: 'text',
  rev: 'key(13)',
  cid: 'key(255) null',
  record: 'json null',
  local_record: 'json null',
  reason: 'text',
  created_at: 'time',
};

/** Creates the tables of the module, with the DataSource's schema, prefix and naming strategy. */
class CreateParityTables1795392000000 implements MigrationInterface {
  readonly name = 'CreateParityTables1795392000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const dialect = ledgerDialectOf(dataSourceOf(queryRunner));
    await create(queryRunner, LEDGER, ledger, [
      partial(['did', 'backfill', 'pending_since'], 'pending_since'),
      partial(['dead_at'], 'dead_at'),
      partial(['did', 'collection', 'rkey'], 'cid'),
      // Without partial indexes, pending rows would have to be searched among all rows.
      ...(dialect.hasPartialIndexes ? [] : [{ columnNames: ['pending_since'] }]),
    ]);
    await create(queryRunner, LANE, lane, [
      partial(['ready_at'], 'ready_at'),
      partial(['backfill_at'], 'backfill_at'),
    ]);
    await create(queryRunner, REPOSITORY, repository, [partial(['import_at'], 'import_at')]);
    await create(queryRunner, SOURCE, source, []);
    await create(queryRunner, INBOUND, inbound, [
      { columnNames: ['kind', 'created_at'] },
      { columnNames: ['did', 'kind', 'created_at'] },
    ]);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const name of [INBOUND, SOURCE, REPOSITORY, LANE, LEDGER])
      await queryRunner.dropTable(tablePath(dataSourceOf(queryRunner), name));
  }
}

/** For `migrations` of a DataSource that does not synchronize. */
export const parityMigrations: (new () => MigrationInterface)[] = [CreateParityTables1795392000000];

const partial = (columnNames: string[], column: string) => ({ columnNames, where: `${column} IS NOT NULL` });

async function create(
  queryRunner: QueryRunner,
  name: string,
  columns: TableColumns,
  indices: { columnNames: string[]; where?: string }[],
): Promise<void> {
  const dataSource = dataSourceOf(queryRunner);
  const dialect = ledgerDialectOf(dataSource);
  await queryRunner.createTable(
    new Table({
      name: tablePath(dataSource, name),
      columns: tableColumns(columns, dialect),
      indices: indices.map((index) => new TableIndex(index)),
      withoutRowid: dialect.canOmitRowid,
    }),
  );
}
