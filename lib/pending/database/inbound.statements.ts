import { KEY_FIELDS, type RowUpdate, type SqlDialect } from './dialect.js';
import { LATEST_REV } from './ledger.updates.js';
import { NEW_REPOSITORY } from './repository.statements.js';

const isClean = "d.outcome = 'clean'";
const isDirty = "d.outcome = 'dirty'";
const isTold = `(${isClean} OR ${isDirty})`;
/** What was learned goes to the row where the address is clean or dirty by it. */
const told = (column: string, value = `d.${column}`): string =>
  `CASE WHEN ${isTold} THEN ${value} ELSE l.${column} END`;
const cleaned = (column: string, value: string): string =>
  `CASE WHEN ${isClean} THEN ${value} ELSE l.${column} END`;

/**
 * See `InboundLedger.admit`. The rows are known, and locked. A `dirty` row has no `tried_at`, so that a sweep
 * finds it if the process dies before it has woken the lane.
 */
export const ADMIT: RowUpdate = {
  fields: {
    outcome: 'key',
    rev: 'key',
    entity_name: 'text',
    entity_id: 'text',
    cid: 'key',
    mapped: 'key',
    foreign_fields: 'json',
    base: 'json',
  },
  set: {
    cid: told('cid'),
    mapped: `CASE WHEN ${isClean} THEN d.mapped WHEN ${isDirty} THEN NULL ELSE l.mapped END`,
    foreign_fields: told('foreign_fields'),
    base: told('base'),
    rev: LATEST_REV,
    entity_name: cleaned('entity_name', 'd.entity_name'),
    entity_id: cleaned('entity_id', 'd.entity_id'),
    operation: cleaned('operation', "'republish'"),
    triggered_by: cleaned('triggered_by', "'auto'"),
    keep_record: cleaned('keep_record', 'FALSE'),
    given_up: cleaned('given_up', 'FALSE'),
    orphaned: cleaned('orphaned', 'FALSE'),
    may_delete: cleaned('may_delete', 'FALSE'),
    backfill: cleaned('backfill', 'FALSE'),
    last_error: cleaned('last_error', 'NULL'),
    session_wanted_at: cleaned('session_wanted_at', 'NULL'),
    version: "CASE WHEN d.outcome = 'seen' THEN l.version ELSE l.version + 1 END",
    attempts: told('attempts', '0'),
    tried_at: `CASE WHEN ${isClean} THEN $now WHEN ${isDirty} THEN NULL ELSE l.tried_at END`,
    pending_since: `CASE WHEN ${isClean} THEN NULL WHEN ${isDirty} THEN COALESCE(l.pending_since, $now) ELSE l.pending_since END`,
    dead_at: told('dead_at', 'NULL'),
    dead_reason: told('dead_reason', 'NULL'),
    conflict_at: `CASE WHEN ${isTold} THEN NULL WHEN d.outcome = 'conflict' THEN COALESCE(l.conflict_at, $now) ELSE l.conflict_at END`,
  },
  where: 'TRUE',
  anyVersion: true,
};

/** The same for an address without a row. */
const ADMITTED: Readonly<Record<string, string>> = {
  rkey: 'd.rkey',
  did: 'd.did',
  collection: 'd.collection',
  entity_name: 'd.entity_name',
  entity_id: 'd.entity_id',
  operation: "'republish'",
  triggered_by: "'auto'",
  cid: 'd.cid',
  keep_record: 'FALSE',
  given_up: 'FALSE',
  orphaned: 'FALSE',
  backfill: 'FALSE',
  may_delete: 'FALSE',
  version: '1',
  pending_since: `CASE WHEN ${isDirty} THEN $now END`,
  changed_at: '$now',
  created_at: '$now',
  attempts: '0',
  tried_at: `CASE WHEN ${isClean} THEN $now END`,
  rev: 'd.rev',
  origin: "'network'",
  mapped: 'd.mapped',
  foreign_fields: 'd.foreign_fields',
  base: 'd.base',
  conflict_at: "CASE WHEN d.outcome = 'conflict' THEN $now END",
};

const KNOWN_COLUMNS =
  'l.did, l.collection, l.rkey, l.entity_name, l.entity_id, l.cid, l.rev, l.mapped, l.foreign_fields, l.base, ' +
  'l.operation, l.keep_record, l.pending_since, l.dead_at, l.conflict_at, l.changed_at';

const ISSUE_COLUMNS =
  'l.did, l.collection, l.rkey, l.kind, l.entity_name, l.entity_id, l.rev, l.cid, l.record, l.local_record, ' +
  'l.reason, l.created_at';

/** In whole milliseconds, which a page of issues begins after. */
const NOW = '($now - $now % 1000)';

const ISSUE: Readonly<Record<string, string>> = {
  rkey: 'd.rkey',
  did: 'd.did',
  collection: 'd.collection',
  entity_name: 'd.entity_name',
  entity_id: 'd.entity_id',
  rev: 'd.rev',
  cid: 'd.cid',
  record: 'd.record',
  local_record: 'd.local_record',
  reason: 'd.reason',
  created_at: NOW,
  kind: 'd.kind',
};

/** The statements on what is learned of records. */
export function inboundStatements(dialect: SqlDialect) {
  const { ledger, inbound, repository } = dialect;
  const fresh = dialect.table(1, 'd', { ...KEY_FIELDS, ...ADMIT.fields });
  const issues = dialect.table(1, 'd', {
    ...KEY_FIELDS,
    kind: 'key',
    entity_name: 'text',
    entity_id: 'text',
    rev: 'key',
    cid: 'key',
    record: 'json',
    local_record: 'json',
    reason: 'text',
  });
  const page = (what: string): string =>
    `SELECT * FROM (SELECT ${KNOWN_COLUMNS} FROM ${ledger} l WHERE l.did = $1 AND l.collection = $2 AND l.rkey > $3 ` +
    `AND ${what} ORDER BY l.rkey LIMIT $4) AS`;
  return {
    lock: dialect.insertOrLock(
      repository,
      'did',
      { did: 'd.did', ...NEW_REPOSITORY },
      dialect.table(1, 'd', { did: 'key' }),
    ),
    accounts:
      `SELECT r.did, r.status, r.rev, r.collections FROM ${dialect.table(1, 'd', { did: 'key' })} ` +
      `JOIN ${repository} r ON r.did = d.did`,
    look: `SELECT l.did, l.collection, l.rkey FROM ${dialect.atKeys(1)}`,
    at: `SELECT ${KNOWN_COLUMNS} FROM ${dialect.atKeys(1)}${dialect.skipLocked}`,
    inFlight: `SELECT a.in_flight, a.unsettled FROM ${dialect.lanesOf(1)}`,
    insert: dialect.insertAtOnce(ledger, ADMITTED, fresh),
    /** In two parts, because each has its index. */
    addresses:
      `${page('l.cid IS NOT NULL')} written UNION ALL ${page('l.cid IS NULL AND l.pending_since IS NOT NULL')} waiting ` +
      'ORDER BY rkey LIMIT $4',
    keepIssues: dialect.upsertRow(
      inbound,
      'rkey, did, collection',
      ISSUE,
      // An issue that is replaced by one of its kind keeps its place.
      (old, given) => ({
        created_at: `CASE WHEN ${old('kind')} = ${given('kind')} THEN ${old('created_at')} ELSE ${given('created_at')} END`,
        ...Object.fromEntries(
          ['kind', 'entity_name', 'entity_id', 'rev', 'cid', 'record', 'local_record', 'reason'].map(
            (column) => [column, given(column)],
          ),
        ),
      }),
      issues,
    ),
    issuesAt: `SELECT l.did, l.collection, l.rkey FROM ${dialect.atKeys(1, inbound)}`,
    removeIssue: `DELETE FROM ${inbound} WHERE rkey = $1 AND did = $2 AND collection = $3`,
    issue: `SELECT ${ISSUE_COLUMNS} FROM ${inbound} l WHERE l.rkey = $1 AND l.did = $2 AND l.collection = $3`,
    /** `$3` to `$6` are the time and the key of the last issue of the page before; `$7` is the DID. */
    issues: (ofDid: boolean) =>
      `SELECT ${ISSUE_COLUMNS} FROM ${inbound} l WHERE l.kind = $1${ofDid ? ' AND l.did = $7' : ''} AND l.created_at >= $3 ` +
      'AND (l.created_at > $3 OR (l.did, l.collection, l.rkey) > ($4, $5, $6)) ' +
      'ORDER BY l.created_at, l.did, l.collection, l.rkey LIMIT $2',
  };
}
