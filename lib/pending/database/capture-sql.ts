/**
 * The columns that a capture writes, with the values for a new row. `d` is the change, with the short names
 * of CaptureRow.
 */
export const CAPTURED: Readonly<Record<string, string>> = {
  rkey: 'd.r',
  did: 'd.d',
  collection: 'd.c',
  entity_name: 'd.n',
  entity_id: 'd.i',
  operation: 'd.o',
  triggered_by: 'd.t',
  cid: 'd.h',
  keep_record: 'd.k',
  given_up: 'd.g',
  orphaned: 'd.x',
  backfill: 'd.b',
  may_delete: 'd.m',
  version: '1',
  pending_since: '$now',
  changed_at: '$now',
  created_at: '$now',
  attempts: '0',
};

/**
 * The values for a row that exists.
 * - The order matters, because MySQL sees what was set further up.
 * - The claimant keeps the address when another entity gives it up. A live entry stays when a reconciliation
 *   finds it again.
 * - What was asked for by hand stays as `keptTrigger` says.
 * - A row that is not pending begins anew, with a greater version.
 * - A change gets all attempts again, because the failed ones were on another record.
 *
 * @param old gives a column as it is
 * @param fresh gives a column as a new row would get it
 */
export function recaptured(
  old: (column: string) => string,
  fresh: (column: string) => string,
): Record<string, string> {
  const stays =
    `(${fresh('given_up')} AND (${old('entity_name')} <> ${fresh('entity_name')} OR ` +
    `${old('entity_id')} <> ${fresh('entity_id')}) OR ` +
    `${fresh('backfill')} AND NOT ${old('backfill')} AND ${old('pending_since')} IS NOT NULL)`;
  const claimed = (column: string): [string, string] => [
    column,
    `CASE WHEN ${stays} THEN ${old(column)} ELSE ${fresh(column)} END`,
  ];
  const goes = `${fresh('operation')} = 'unpublish'`;
  const isAsked =
    `(${old('pending_since')} IS NOT NULL AND NOT ${old('backfill')} AND ${fresh('triggered_by')} = 'auto' ` +
    `AND ${old('entity_name')} = ${fresh('entity_name')} AND ${old('entity_id')} = ${fresh('entity_id')} ` +
    `AND (${old('triggered_by')} IN ('unpublish', 'renew') OR ${old('triggered_by')} <> 'auto' AND NOT ${goes}))`;
  const asked = (column: string, kept = old(column)): [string, string] => [
    column,
    `CASE WHEN ${stays} THEN ${old(column)} WHEN ${isAsked} THEN ${kept} ELSE ${fresh(column)} END`,
  ];
  const renewed = `CASE WHEN ${old('triggered_by')} = 'unpublish' AND NOT ${goes} THEN 'renew' ELSE ${old('triggered_by')} END`;
  const anew = (column: string, value: string): [string, string] => [
    column,
    `CASE WHEN ${old('pending_since')} IS NULL THEN ${value} ELSE ${old(column)} END`,
  ];
  return Object.fromEntries([
    ...['operation', 'keep_record', 'may_delete', 'given_up'].map((column) => asked(column)),
    claimed('orphaned'),
    asked('triggered_by', renewed),
    claimed('entity_id'),
    claimed('entity_name'),
    // A change without a CID must not erase a known one.
    ['cid', `COALESCE(${fresh('cid')}, ${old('cid')})`],
    ['version', `${old('version')} + 1`],
    ['changed_at', fresh('changed_at')],
    anew('created_at', fresh('created_at')),
    [
      'attempts',
      `CASE WHEN ${old('pending_since')} IS NOT NULL AND (${fresh('backfill')} OR ${stays}) THEN ${old('attempts')} ELSE 0 END`,
    ],
    anew('last_error', 'NULL'),
    // A live change takes over a backfill entry. Found again by a reconciliation, a live entry stays live.
    [
      'backfill',
      `CASE WHEN ${old('pending_since')} IS NULL OR NOT ${fresh('backfill')} THEN ${fresh('backfill')} ELSE ${old('backfill')} END`,
    ],
    ['tried_at', 'NULL'],
    ['session_wanted_at', 'NULL'],
    ['dead_at', 'NULL'],
    ['dead_reason', 'NULL'],
    ['pending_since', `COALESCE(${old('pending_since')}, ${fresh('changed_at')})`],
  ]);
}

/**
 * Whether the row (`l`) that a change (`excluded`) meets already is what the change asks for. The row tells
 * what was settled last, and takes part in everything that could make that untrue:
 * - A capture makes the row pending.
 * - A request is sent only for a pending row.
 * - A row that is no longer pending without having been settled has no `tried_at` (it was removed, or settled
 *   as it is), or is dead.
 * - A concurrent capture waits: on PostgreSQL for the lock on the row, which the statement takes even on rows
 *   that it leaves alone; SQLite has one writer.
 */
const SETTLED =
  'l.pending_since IS NULL AND l.dead_at IS NULL AND l.tried_at IS NOT NULL AND l.cid = excluded.cid ' +
  'AND l.entity_name = excluded.entity_name AND l.entity_id = excluded.entity_id';

/** The same for an address that should have no record: nothing was ever kept there. */
const UNTOUCHED = 'l.version = 0 AND excluded.version = 0';

/** Whether a change that may be left alone is left alone. */
export const LEFT_ALONE = `(${UNTOUCHED} OR ${SETTLED}) IS TRUE`;

/**
 * The values for a new row where a change may be left alone. For a change that asks for no record, the row is
 * clean from the start; it exists for concurrent captures to wait for.
 */
export const CAPTURED_UNLESS_SETTLED: Readonly<Record<string, string>> = {
  ...CAPTURED,
  version: 'd.v',
  pending_since: 'CASE WHEN d.v = 0 THEN NULL ELSE $now END',
};

export const assignments = (set: Readonly<Record<string, string>>, prefix = ''): string =>
  Object.entries(set)
    .map(([column, value]) => `${prefix}${column} = ${value}`)
    .join(', ');
