import type { SqlDialect } from './dialect.js';
import { hasSession, hasTurn, isDue, isKnown, NO_CONFLICT } from './due-conditions.js';
import { LEDGER_COLUMNS } from './ledger-row.js';

/** The statements on the ledger that all databases understand, built once per DataSource. */
export function ledgerStatements(dialect: SqlDialect) {
  const { ledger, lane } = dialect;
  const ofLane = (column: string): string => `(SELECT a.${column} FROM ${lane} a WHERE a.did = $1)`;
  const select = `SELECT ${LEDGER_COLUMNS} FROM ${ledger} l WHERE`;
  const isKey = 'did = $1 AND collection = $2 AND rkey = $3';
  const oldestFirst = 'ORDER BY l.pending_since, l.collection, l.rkey';
  // In the order of the index. To sort the entries of one transaction as well would take longer with each of
  // them.
  const inTurn = 'ORDER BY l.backfill, l.pending_since';
  const pending = 'l.did = $1 AND l.pending_since IS NOT NULL';
  const canExpire = `l.pending_since IS NOT NULL AND l.operation <> 'unpublish' AND NOT l.may_delete`;
  return {
    due: (backlog: boolean, leaves: boolean) =>
      `${select} l.did = $1 AND ${backlog ? `l.pending_since IS NOT NULL AND ${NO_CONFLICT} AND ${hasSession(ofLane)} AND ${hasTurn(ofLane)}` : isDue(ofLane)}` +
      `${leaves ? ` AND ${isKnown(dialect, 3)}` : ''} ${inTurn} LIMIT $2`,
    at: dialect.pendingAt(1),
    forDid: `${select} ${pending} ${oldestFirst}`,
    count: `SELECT count(*) AS count FROM ${ledger} l WHERE ${pending}`,
    has: `SELECT 1 FROM ${ledger} l WHERE ${pending} LIMIT 1`,
    find: `${select} ${isKey} AND l.pending_since IS NOT NULL`,
    remove: `UPDATE ${ledger} SET pending_since = NULL, tried_at = NULL WHERE ${isKey} AND pending_since IS NOT NULL`,
    versions: `SELECT l.did, l.collection, l.rkey, l.version FROM ${ledger} l WHERE ${pending} LIMIT $2`,
    expired: `${select} ${canExpire} AND l.pending_since < $now - $1 LIMIT $2`,
    /**
     * Entries that are due in a ready lane, of classes of which no process has attempted an entry for `$1`.
     */
    unclaimed:
      `SELECT ${LEDGER_COLUMNS} FROM ${ledger} l LEFT JOIN ${lane} a ON a.did = l.did WHERE ${canExpire} AND NOT ${isKnown(dialect, 3)} ` +
      `AND ${isDue((column) => `a.${column}`)} AND l.tried_at IS NULL AND l.changed_at < $now - $1 ` +
      'AND COALESCE(a.unparked_at, 0) < $now - $1 AND a.park_reason IS NULL AND COALESCE(a.ready_at, 0) <= $now LIMIT $2',
    /**
     * DIDs whose lane sleeps although an entry in it was never attempted, because the process died that
     * should have woken it.
     */
    lost: dialect.pendingDids(
      // Also a lane that wakes by itself later, for an entry that was attempted.
      '(a.ready_at IS NULL OR a.ready_at > $now AND NOT a.leased AND a.retry_at IS NULL) AND a.park_reason IS NULL',
      `(a.backfill_at IS NULL OR NOT l.backfill) AND ${isDue((column) => `a.${column}`)} AND l.tried_at IS NULL AND l.changed_at < $now - $2`,
    ),
    dead: (ofDid: boolean) =>
      `SELECT ${LEDGER_COLUMNS}, l.dead_at, l.dead_reason FROM ${ledger} l WHERE l.dead_at >= $1 ` +
      `AND (l.dead_at > $1 OR (l.did, l.collection, l.rkey) > ($2, $3, $4))${ofDid ? ' AND l.did = $6' : ''} ` +
      'ORDER BY l.dead_at, l.did, l.collection, l.rkey LIMIT $5',
    requeue:
      `UPDATE ${ledger} SET pending_since = $now, changed_at = $now, version = version + 1, attempts = 0, tried_at = NULL, ` +
      `session_wanted_at = NULL, dead_at = NULL, dead_reason = NULL WHERE ${isKey} AND dead_at IS NOT NULL`,
    deadBefore: `SELECT l.did, l.collection, l.rkey, l.version FROM ${ledger} l WHERE l.dead_at < $now - $1 LIMIT $2`,
  };
}
