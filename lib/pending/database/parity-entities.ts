import { BaseEntity, EntitySchema, type DataSource, type EntitySchemaColumnOptions } from 'typeorm';
import { columnType, type ColumnKind } from '../../database/column-types.js';
import { dialectOf } from '../../database/tables.js';
import { LANE, LEDGER } from './ledger-tables.js';

interface Column {
  readonly kind: ColumnKind;
  readonly primary?: true;
  readonly nullable?: true;
}

const LEDGER_COLUMNS = {
  // First in the key: record keys mostly grow with time, so new rows go to one end of the index, whoever's
  // they are.
  rkey: { kind: 'key(512)', primary: true },
  did: { kind: 'key(512)', primary: true },
  collection: { kind: 'key(317)', primary: true },
  entity_name: { kind: 'text' },
  entity_id: { kind: 'text' },
  operation: { kind: 'key(16)' },
  triggered_by: { kind: 'key(16)' },
  cid: { kind: 'key(255)', nullable: true },
  keep_record: { kind: 'bool' },
  given_up: { kind: 'bool' },
  orphaned: { kind: 'bool' },
  backfill: { kind: 'bool' },
  may_delete: { kind: 'bool' },
  version: { kind: 'int' },
  pending_since: { kind: 'time', nullable: true },
  changed_at: { kind: 'time' },
  created_at: { kind: 'time' },
  attempts: { kind: 'int' },
  tried_at: { kind: 'time', nullable: true },
  last_error: { kind: 'text', nullable: true },
  session_wanted_at: { kind: 'time', nullable: true },
  dead_at: { kind: 'time', nullable: true },
  dead_reason: { kind: 'text', nullable: true },
} as const satisfies Record<string, Column>;

const LANE_COLUMNS = {
  did: { kind: 'key(512)', primary: true },
  ready_at: { kind: 'time', nullable: true },
  backfill_at: { kind: 'time', nullable: true },
  token: { kind: 'int' },
  leased: { kind: 'bool' },
  owed: { kind: 'time', nullable: true },
  wakes: { kind: 'int' },
  retry_at: { kind: 'time', nullable: true },
  failures: { kind: 'int' },
  park_reason: { kind: 'text', nullable: true },
  park_session: { kind: 'text', nullable: true },
  park_code: { kind: 'key(64)', nullable: true },
  unparked_at: { kind: 'time', nullable: true },
  backlog_before: { kind: 'time', nullable: true },
  session_backlog_before: { kind: 'time', nullable: true },
  head: { kind: 'key(255)', nullable: true },
  in_flight: { kind: 'json', nullable: true },
  unsettled: { kind: 'json', nullable: true },
  spent: { kind: 'json', nullable: true },
} as const satisfies Record<string, Column>;

/** The one index that stands in for partial ones; see {@link fitDialect}. */
const MYSQL_ONLY = 'pending_since';

/**
 * TypeORM builds the metadata of an entity without knowing for which database, and calls this once it knows:
 * after the metadata is built and before it is compared with the schema. The collation of the keys has no
 * name that all databases understand.
 */
function fitDialect(dataSource: DataSource, target: Function, columns: Record<string, Column>): void {
  const dialect = dialectOf(dataSource);
  const metadata = dataSource.getMetadata(target);
  for (const column of metadata.columns) {
    const kind = columns[column.propertyName]?.kind;
    if (kind) Object.assign(column, columnType(kind, dialect));
  }
  if (dialect === 'mysql') return;
  const keep = (index: { columns: { propertyName: string }[] }): boolean =>
    index.columns.length > 1 || index.columns[0]?.propertyName !== MYSQL_ONLY;
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

/**
 * The tables of pending syncs in the database, for `entities` of a DataSource without `autoLoadEntities`.
 * They are the module's own: read them if you like, and write them through `ParityService` only.
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
      { columns: [MYSQL_ONLY] },
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
];

function schemaColumns(columns: Record<string, Column>): Record<string, EntitySchemaColumnOptions> {
  return Object.fromEntries(
    Object.entries(columns).map(([name, { kind, primary = false, nullable = false }]) => [
      name,
      { name, type: columnType(kind, 'sqlite').type, primary, nullable },
    ]),
  );
}
