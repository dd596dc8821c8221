import { LONGEST_REST_FROM, restAfter } from '../record-rest.js';
import { assignments } from './capture-sql.js';
import { KEY_FIELDS, type SqlDialect } from './dialect.js';
import { LEDGER_COLUMNS, micros } from './ledger-row.js';

/**
 * What can be tried by itself: no backlog, waiting for no session, and not resting. `lane` gives a column of
 * the lane.
 */
const isDue = (lane: (column: string) => string): string =>
  `l.pending_since IS NOT NULL AND NOT ${isBacklog(lane)} AND ${hasSession(lane)} AND ${hasTurn(lane)} AND ${isRested(lane)}`;

/**
 * What waits for a retry by hand: it was parked when its account signed in, or it waited for a session by
 * itself.
 */
export const isBacklog = (lane: (column: string) => string): string =>
  `(l.changed_at <= COALESCE(${lane('backlog_before')}, 0) OR COALESCE(l.session_wanted_at <= ${lane('session_backlog_before')}, FALSE))`;

/** The record failed, and its next turn has not come. A sign-in begins a new turn. */
const isRested = (lane: (column: string) => string): string =>
  `(l.attempts = 0 OR l.tried_at IS NULL OR l.tried_at <= COALESCE(${lane('unparked_at')}, 0) OR l.tried_at <= $now - ${REST})`;

const REST = `CASE ${Array.from({ length: LONGEST_REST_FROM - 1 }, (_, index) => `WHEN l.attempts = ${index + 1} THEN ${micros(restAfter(index + 1))}`).join(' ')} ELSE ${micros(restAfter(LONGEST_REST_FROM))} END`;

/** What is no backfill always has. */
const hasTurn = (lane: (column: string) => string): string =>
  `(NOT l.backfill OR COALESCE(${lane('backfill_at')}, 0) <= $now)`;

const hasSession = (lane: (column: string) => string): string =>
  `(l.session_wanted_at IS NULL OR l.session_wanted_at <= COALESCE(${lane('unparked_at')}, 0))`;

/** The statements on the ledger that all databases understand, built once per DataSource. */
export function ledgerStatements(dialect: SqlDialect) {
  const { ledger, lane } = dialect;
  const ofLane = (column: string): string => `(SELECT a.${column} FROM ${lane} a WHERE a.did = $1)`;
  const select = `SELECT ${LEDGER_COLUMNS} FROM ${ledger} l WHERE`;
  const isKey = 'did = $1 AND collection = $2 AND rkey = $3';
  const oldestFirst = 'ORDER BY l.pending_since, l.collection, l.rkey';
  // As the index has them; sorting what one transaction has captured would take longer with every one of it.
  const inTurn = 'ORDER BY l.backfill, l.pending_since';
  const pending = 'l.did = $1 AND l.pending_since IS NOT NULL';
  return {
    due: `${select} l.did = $1 AND ${isDue(ofLane)} ${inTurn} LIMIT $2`,
    dueWithBacklog: `${select} ${pending} AND ${hasSession(ofLane)} AND ${hasTurn(ofLane)} ${inTurn} LIMIT $2`,
    // Without a DID of its own: SQLite would go through all that is pending in the lane, once for every key.
    at:
      `SELECT ${LEDGER_COLUMNS} FROM ${dialect.table(1, 'd', KEY_FIELDS)} JOIN ${ledger} l ON l.did = d.did ` +
      'AND l.collection = d.collection AND l.rkey = d.rkey WHERE l.pending_since IS NOT NULL',
    forDid: `${select} ${pending} ${oldestFirst}`,
    count: `SELECT count(*) AS count FROM ${ledger} l WHERE ${pending}`,
    has: `SELECT 1 FROM ${ledger} l WHERE ${pending} LIMIT 1`,
    find: `${select} ${isKey} AND l.pending_since IS NOT NULL`,
    remove: `UPDATE ${ledger} SET pending_since = NULL, tried_at = NULL WHERE ${isKey} AND pending_since IS NOT NULL`,
    versions: `SELECT l.did, l.collection, l.rkey, l.version FROM ${ledger} l WHERE ${pending} LIMIT $2`,
    expired: `${select} l.pending_since IS NOT NULL AND l.pending_since < $now - $1 AND l.operation <> 'unpublish' LIMIT $2`,
    /** Of these DIDs, those whose lane sleeps although something in it was never tried: whoever should have woken it died. */
    lost:
      `SELECT d.did FROM ${dialect.table(1, 'd', { did: 'key' })} LEFT JOIN ${lane} a ON a.did = d.did ` +
      `WHERE a.ready_at IS NULL AND a.park_reason IS NULL AND EXISTS (SELECT 1 FROM ${ledger} l WHERE l.did = d.did ` +
      `AND (a.backfill_at IS NULL OR NOT l.backfill) AND ${isDue((column) => `a.${column}`)} AND l.tried_at IS NULL AND l.changed_at < $now - $2)`,
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

/** What `LaneNext` makes of the times of a lane. `$4` and `$5` say until when, and how long that is. */
const RELEASED: Readonly<
  Record<
    'asleep' | 'as-before' | 'ready' | 'retry' | 'backfill',
    { readonly ready: string; readonly backfill?: string; readonly retry?: string }
  >
> = {
  // That a backfill has to wait stays true.
  asleep: {
    ready: 'WHEN wakes > 0 THEN $now',
    backfill: 'CASE WHEN backfill_at > $now THEN backfill_at END',
  },
  'as-before': { ready: 'WHEN wakes > 0 OR owed THEN $now' },
  ready: { ready: 'ELSE $now' },
  retry: { ready: 'ELSE $now + $5', retry: '$4' },
  backfill: { ready: 'WHEN wakes > 0 THEN $now', backfill: '$now + $4' },
};

/** Nobody has woken or taken the lane since it was looked at. */
const asSeen = (column: string): string =>
  `WHERE did = $1 AND token = $2 AND wakes = $3 AND ${column} <= $now`;

/** What is remembered of a repository, in the order of `stateValues`. */
const STATE = { head: '$2', in_flight: '$3', unsettled: '$4', spent: '$5' };

/** A lane that is not parked any more, and whose account has a session for all that wants one. */
const FREED = { park_reason: 'NULL', park_session: 'NULL', park_code: 'NULL', unparked_at: '$now' };

/** In microseconds: much longer than a commit takes after its changes were captured. */
const JUST = micros(60_000);

/** The statements on the lanes. */
export function laneStatements(dialect: SqlDialect) {
  const { ledger, lane } = dialect;
  const ours = 'did = $1 AND token = $2 AND leased';
  const hasDue = (what: string): string =>
    `EXISTS (SELECT 1 FROM ${ledger} l WHERE l.did = a.did AND ${what} AND ${isDue((column) => `a.${column}`)})`;
  return {
    held: `SELECT 1 FROM ${lane} WHERE ${ours}${dialect.forUpdate}`,
    extend: `UPDATE ${lane} SET ready_at = $now + $3 WHERE ${ours}`,
    release: (next: keyof typeof RELEASED) => {
      const { ready, backfill = 'backfill_at', retry = 'NULL' } = RELEASED[next];
      return (
        `UPDATE ${lane} SET leased = FALSE, failures = $3, retry_at = ${retry}, backfill_at = ${backfill}, ` +
        `ready_at = CASE WHEN park_reason IS NOT NULL THEN NULL ${ready} END, wakes = 0 WHERE ${ours}`
      );
    },
    lane:
      'SELECT a.park_reason, a.park_session, a.park_code, a.failures, ' +
      'CASE WHEN NOT a.leased AND a.ready_at > $now THEN a.retry_at END AS retry_at, ' +
      `CASE WHEN a.backlog_before > $now - ${JUST} THEN 1 ELSE 0 END AS just_freed FROM ${lane} a WHERE a.did = $1`,
    park: dialect.upsertLane(
      { did: '$1', park_reason: '$2', park_session: '$3', park_code: '$4' },
      (old) => ({
        park_reason: '$2',
        park_session: '$3',
        park_code: '$4',
        // A lease goes on until its holder gives it back.
        ready_at: `CASE WHEN ${old('leased')} THEN ${old('ready_at')} END`,
      }),
    ),
    /** `backlog_before` comes before what it looks at: MySQL sees what was set further up. */
    unpark: dialect.upsertLane({ did: '$1', unparked_at: '$now', session_backlog_before: '$now' }, (old) => ({
      backlog_before: `CASE WHEN ${old('park_reason')} IS NULL THEN ${old('backlog_before')} ELSE $now END`,
      session_backlog_before: '$now',
      ...FREED,
    })),
    unparkAndRetry: dialect.upsertLane({ did: '$1', unparked_at: '$now', ready_at: '$now' }, (old) => ({
      backlog_before: 'NULL',
      session_backlog_before: 'NULL',
      ...FREED,
      ready_at: `CASE WHEN ${old('leased')} THEN ${old('ready_at')} ELSE $now END`,
      wakes: `${old('wakes')} + 1`,
    })),
    voidPark: `UPDATE ${lane} SET ${assignments(FREED)} WHERE did = $1`,
    /** While the lane is leased its time is the end of the lease; that it was woken is counted. */
    wake: dialect.upsertLane({ did: '$1', ready_at: '$now' }, (old) => ({
      ready_at: `CASE WHEN ${old('park_reason')} IS NOT NULL AND NOT ${old('leased')} THEN NULL ELSE COALESCE(${old('ready_at')}, $now) END`,
      wakes: `${old('wakes')} + 1`,
    })),
    /** Only backfill is left in it: asleep for everybody else. */
    wakeBackfill: dialect.upsertLane({ did: '$1', backfill_at: '$now' }, (old) => ({
      backfill_at: `COALESCE(${old('backfill_at')}, $now)`,
      wakes: `${old('wakes')} + 1`,
    })),
    ready: (column: 'ready_at' | 'backfill_at') =>
      `SELECT a.did, a.token, a.wakes, CASE WHEN ${hasDue('NOT l.backfill')} THEN 1 ELSE 0 END AS live, ` +
      `CASE WHEN ${hasDue('l.backfill')} THEN 1 ELSE 0 END AS backfill FROM ${lane} a ` +
      `WHERE a.${column} <= $now AND a.park_reason IS NULL ${column === 'backfill_at' ? 'AND a.ready_at IS NULL ' : ''}` +
      `ORDER BY a.${column} LIMIT $1`,
    sleep: (column: 'ready_at' | 'backfill_at') =>
      `UPDATE ${lane} SET ${column} = NULL, leased = FALSE ${asSeen(column)}`,
    /** Awake for its backfill alone: it waits with those. */
    fallBehind: `UPDATE ${lane} SET backfill_at = COALESCE(backfill_at, ready_at), ready_at = NULL, leased = FALSE ${asSeen('ready_at')}`,
    state: `SELECT a.head, a.in_flight, a.unsettled, a.spent FROM ${lane} a WHERE a.did = $1`,
    saveOwnState: `UPDATE ${lane} SET ${assignments(STATE)} WHERE did = $1 AND token = $6 AND leased`,
    saveState: dialect.upsertLane({ did: '$1', ...STATE }, () => STATE),
    forgetState: `UPDATE ${lane} SET head = NULL, in_flight = NULL, unsettled = NULL, spent = NULL WHERE did = $1`,
  };
}
