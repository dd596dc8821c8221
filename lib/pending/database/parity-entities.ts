import { BaseEntity, EntitySchema, type DataSource } from 'typeorm';
import { fitColumns, schemaColumns, type TableColumns } from '../../database/table-columns.js';
import { INBOUND, LANE, ledgerDialectOf, LEDGER, REPOSITORY, SOURCE } from './ledger-tables.js';

const LEDGER_COLUMNS: TableColumns = {
  // First in the key: record keys mostly grow with time, so new rows of all accounts go to one end of the
  // index.
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
  /** The revision as of which the repository is known; with no `cid`, and nothing pending, a tombstone. */
  rev: 'key(13) null',
  /** 'network' if a record was first, and no local change. */
  origin: 'key(8) null',
  mapped: 'key(255) null',
  foreign_fields: 'json null',
  base: 'json null',
  conflict_at: 'time null',
};

const LANE_COLUMNS: TableColumns = {
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

const REPOSITORY_COLUMNS: TableColumns = {
  did: 'key(512) primary',
  ours: 'bool',
  status: 'key(16)',
  handle: 'text null',
  pds: 'text null',
  rev: 'key(13) null',
  /** What was imported as of `rev`. */
  collections: 'json null',
  imported_at: 'time null',
  import_at: 'time null',
  /** How often an import became due since it was leased. */
  asked: 'int',
  counts: 'json null',
  last_error: 'text null',
  failures: 'int',
  token: 'int',
  leased_until: 'time null',
};

const SOURCE_COLUMNS: TableColumns = {
  name: 'key(255) primary',
  /** Not `cursor`, which is a word of MySQL's grammar. */
  position: 'text null',
  position_at: 'time null',
  token: 'int',
  leased_until: 'time null',
};

const INBOUND_COLUMNS: TableColumns = {
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

/** The column whose index replaces the partial ones, on a database that has none. */
const WITHOUT_PARTIAL_INDEXES = 'pending_since';

/** Gives the columns the types of the database, and drops the index that it does not need. */
function fitDialect(dataSource: DataSource, target: Function, columns: TableColumns): void {
  const dialect = ledgerDialectOf(dataSource);
  fitColumns(dataSource, target, columns, dialect);
  if (!dialect.hasPartialIndexes) return;
  const metadata = dataSource.getMetadata(target);
  const keep = (index: { columns: { propertyName: string }[] }): boolean =>
    index.columns.length > 1 || index.columns[0]?.propertyName !== WITHOUT_PARTIAL_INDEXES;
  metadata.indices = metadata.indices.filter(keep);
  metadata.ownIndices = metadata.ownIndices.filter(keep);
}

class ParityLedger extends BaseEntity {
  static override useDataSource(dataSource: DataSource): void {
    fitDialect(dataSource, ParityLedger, LEDGER_COLUMNS);
  }
}

class ParityLane extends BaseEntity {
  static override useDataSource(dataSource: DataSource): void {
    fitDialect(dataSource, ParityLane, LANE_COLUMNS);
  }
}

class ParityRepository extends BaseEntity {
  static override useDataSource(dataSource: DataSource): void {
    fitDialect(dataSource, ParityRepository, REPOSITORY_COLUMNS);
  }
}

class ParitySource extends BaseEntity {
  static override useDataSource(dataSource: DataSource): void {
    fitDialect(dataSource, ParitySource, SOURCE_COLUMNS);
  }
}

class ParityInbound extends BaseEntity {
  static override useDataSource(dataSource: DataSource): void {
    fitDialect(dataSource, ParityInbound, INBOUND_COLUMNS);
  }
}

/**
 * The tables of the module in the database, for `entities` of a DataSource without `autoLoadEntities`.
 * They belong to the module: the application may read them, and must write them through `ParityService` only.
 */
export const parityEntities: EntitySchema[] = [
  new EntitySchema({
    name: 'ParityLedger',
    target: ParityLedger,
    tableName: LEDGER,
    withoutRowid: true,
    columns: schemaColumns(LEDGER_COLUMNS),
    indices: [
      { columns: ['did', 'backfill', 'pending_since'], where: 'pending_since IS NOT NULL' },
      { columns: ['dead_at'], where: 'dead_at IS NOT NULL' },
      { columns: ['did', 'collection', 'rkey'], where: 'cid IS NOT NULL' },
      { columns: [WITHOUT_PARTIAL_INDEXES] },
    ],
  }),
  new EntitySchema({
    name: 'ParityLane',
    target: ParityLane,
    tableName: LANE,
    withoutRowid: true,
    columns: schemaColumns(LANE_COLUMNS),
    indices: [
      { columns: ['ready_at'], where: 'ready_at IS NOT NULL' },
      { columns: ['backfill_at'], where: 'backfill_at IS NOT NULL' },
    ],
  }),
  new EntitySchema({
    name: 'ParityRepository',
    target: ParityRepository,
    tableName: REPOSITORY,
    withoutRowid: true,
    columns: schemaColumns(REPOSITORY_COLUMNS),
    indices: [{ columns: ['import_at'], where: 'import_at IS NOT NULL' }],
  }),
  new EntitySchema({
    name: 'ParitySource',
    target: ParitySource,
    tableName: SOURCE,
    withoutRowid: true,
    columns: schemaColumns(SOURCE_COLUMNS),
  }),
  new EntitySchema({
    name: 'ParityInbound',
    target: ParityInbound,
    tableName: INBOUND,
    withoutRowid: true,
    columns: schemaColumns(INBOUND_COLUMNS),
    indices: [{ columns: ['kind', 'created_at'] }, { columns: ['did', 'kind', 'created_at'] }],
  }),
];
