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

/**
 * Of a class that this process knows, or an entry that takes none. `$number` has the names of the others, as
 * JSON.
 */
const isKnown = (dialect: SqlDialect, number: number): string =>
  `(l.orphaned OR l.entity_name NOT IN (SELECT n.name FROM ${dialect.table(number, 'n', { name: 'text' })}))`;

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
  const canExpire = `l.pending_since IS NOT NULL AND l.operation <> 'unpublish' AND NOT l.may_delete`;
  return {
    due: (backlog: boolean, leaves: boolean) =>
      `${select} l.did = $1 AND ${backlog ? `l.pending_since IS NOT NULL AND ${hasSession(ofLane)} AND ${hasTurn(ofLane)}` : isDue(ofLane)}` +
      `${leaves ? ` AND ${isKnown(dialect, 3)}` : ''} ${inTurn} LIMIT $2`,
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
    expired: `${select} ${canExpire} AND l.pending_since < $now - $1 LIMIT $2`,
    /** What is due in a lane that is ready, of classes of which no process has tried anything for `$1`. */
    unclaimed:
      `SELECT ${LEDGER_COLUMNS} FROM ${ledger} l LEFT JOIN ${lane} a ON a.did = l.did WHERE ${canExpire} AND NOT ${isKnown(dialect, 3)} ` +
      `AND ${isDue((column) => `a.${column}`)} AND l.tried_at IS NULL AND l.changed_at < $now - $1 ` +
      'AND COALESCE(a.unparked_at, 0) < $now - $1 AND a.park_reason IS NULL AND COALESCE(a.ready_at, 0) <= $now LIMIT $2',
    /**
     * DIDs whose lane sleeps although something in it was never tried: the process that should have woken it
     * died.
     */
    lost: dialect.pendingDids(
      // Or wakes by itself, later, for an entry that was tried.
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

/**
 * What `LaneNext` makes of the times of a lane. `when` says what makes it ready now, `otherwise` until when
 * it sleeps: `retry` takes until when as `$4`, and how long that is as `$5`; `backfill` takes how long as
 * `$4`. A lane that would sleep takes next how long it may at most, or null. `left` is what keeps it awake
 * all the same, if it is of a class that this process leaves to others, and where their names are.
 */
const RELEASED: Readonly<
  Record<
    'asleep' | 'as-before' | 'ready' | 'retry' | 'backfill',
    {
      readonly when?: string;
      readonly otherwise: string;
      readonly backfill?: string;
      readonly retry?: string;
      readonly left?: { readonly what: string; readonly names: number };
    }
  >
> = {
  // That a backfill has to wait stays true.
  asleep: {
    when: 'WHEN wakes > 0 THEN $now',
    otherwise: '$now + $4',
    backfill: 'CASE WHEN backfill_at > $now THEN backfill_at END',
    left: { what: 'TRUE', names: 5 },
  },
  'as-before': {
    when: 'WHEN wakes > 0 THEN $now',
    otherwise: 'CASE WHEN owed IS NULL OR owed > $now + $4 THEN $now + $4 ELSE owed END',
  },
  ready: { otherwise: '$now' },
  retry: { otherwise: '$now + $5', retry: '$4' },
  backfill: {
    when: 'WHEN wakes > 0 THEN $now',
    otherwise: '$now + $5',
    backfill: '$now + $4',
    left: { what: 'NOT l.backfill', names: 6 },
  },
};

/**
 * Not since the lane became ready: in a lane that stays so for others, what has failed is not tried again and
 * again.
 */
const isUntried = (readySince: string): string => `(l.tried_at IS NULL OR l.tried_at < ${readySince})`;

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
    release: (next: keyof typeof RELEASED, leaves = false) => {
      const { when = '', otherwise, backfill = 'backfill_at', retry = 'NULL', left } = RELEASED[next];
      const forOthers =
        leaves && left
          ? ` WHEN EXISTS (SELECT 1 FROM ${ledger} l WHERE l.did = $1 AND ${left.what} AND ${isDue((column) => column)} ` +
            `AND NOT ${isKnown(dialect, left.names)} AND ${isUntried('owed')}) THEN CASE WHEN owed < $now THEN owed ELSE $now END`
          : '';
      // In this order: MySQL sees what was set further up.
      return (
        `UPDATE ${lane} SET leased = FALSE, failures = $3, ready_at = CASE WHEN park_reason IS NOT NULL THEN NULL ${when}${forOthers} ELSE ${otherwise} END, ` +
        `retry_at = ${retry}, backfill_at = ${backfill}, wakes = 0 WHERE ${ours}`
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
      // A time to come is the end of a lease, or of a pause; without one it is only when the lane would wake
      // by itself.
      ready_at:
        `CASE WHEN ${old('park_reason')} IS NOT NULL AND NOT ${old('leased')} THEN NULL ` +
        `WHEN ${old('ready_at')} IS NULL OR (${old('ready_at')} > $now AND NOT ${old('leased')} AND ${old('retry_at')} IS NULL) THEN $now ` +
        `ELSE ${old('ready_at')} END`,
      wakes: `${old('wakes')} + 1`,
    })),
    /** Only backfill is left in it: asleep for everybody else. */
    wakeBackfill: dialect.upsertLane({ did: '$1', backfill_at: '$now' }, (old) => ({
      backfill_at: `COALESCE(${old('backfill_at')}, $now)`,
      wakes: `${old('wakes')} + 1`,
    })),
    /**
     * @param leaves without lanes in which all that is due is left to other processes; `$2` has the names of
     *   its classes
     */
    ready: (column: 'ready_at' | 'backfill_at', leaves: boolean) => {
      const what = column === 'backfill_at' ? 'l.backfill' : 'TRUE';
      const isOurs = hasDue(`${what} AND ${isKnown(dialect, 2)} AND ${isUntried(`a.${column}`)}`);
      return (
        `SELECT a.did, a.token, a.wakes, CASE WHEN ${hasDue('NOT l.backfill')} THEN 1 ELSE 0 END AS live, ` +
        `CASE WHEN ${hasDue('l.backfill')} THEN 1 ELSE 0 END AS backfill FROM ${lane} a ` +
        `WHERE a.${column} <= $now AND a.park_reason IS NULL ${column === 'backfill_at' ? 'AND a.ready_at IS NULL ' : ''}` +
        `${leaves ? `AND (${isOurs} OR NOT ${hasDue(what)}) ` : ''}ORDER BY a.${column} LIMIT $1`
      );
    },
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
