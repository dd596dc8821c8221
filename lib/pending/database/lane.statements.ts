import { assignments } from './capture-sql.js';
import type { SqlDialect } from './dialect.js';
import { isDue, isKnown } from './due-conditions.js';
import { STATE_COLUMNS, told } from './lane-row.js';

/**
 * What each `LaneNext` does to the times of a lane.
 * - `when` is the condition under which the lane is ready now; `otherwise` is the time until which it sleeps.
 * - `retry` takes a time as `$4`, and how long that is from now as `$5`.
 * - `backfill` takes how long from now as `$4`.
 * - A lane that would sleep takes as its next parameter how long it may sleep at most, or null.
 * - `left` describes entries that keep the lane awake although their classes are left to other processes, and
 *   which parameter has the names of those classes.
 */
const RELEASED: Readonly<
  Record<
    'asleep' | 'as-before' | 'ready' | 'retry' | 'backfill' | 'settled',
    {
      readonly when?: string;
      readonly otherwise: string;
      readonly backfill?: string;
      readonly retry?: string;
      readonly left?: { readonly what: string; readonly names: number };
    }
  >
> = {
  // A time that backfill has to wait for stays.
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
  /** `as-before` without a time to wake at. */
  settled: { when: 'WHEN wakes > 0 THEN $now', otherwise: 'owed' },
};

/**
 * Whether an entry was not attempted since the lane became ready. In a lane that stays ready for other
 * processes, a failed entry would otherwise be attempted again and again.
 */
const isUntried = (readySince: string): string => `(l.tried_at IS NULL OR l.tried_at < ${readySince})`;

/** No process has woken or taken the lane since it was looked at. */
const asSeen = (column: string): string =>
  `WHERE did = $1 AND token = $2 AND wakes = $3 AND ${column} <= $now`;

/** What is remembered of a repository, in the order of `stateValues`. */
const STATE = Object.fromEntries(STATE_COLUMNS.map((column, index) => [column, `$${index + 2}`]));

/** The lane is not parked any more, and its account has a session for all entries that need one. */
const FREED = { park_reason: 'NULL', park_session: 'NULL', park_code: 'NULL', unparked_at: '$now' };

/** The values of a lane that is given back. The order matters, because MySQL sees what was set further up. */
function released(next: keyof typeof RELEASED, failures: string, forOthers = ''): string {
  const { when = '', otherwise, backfill = 'backfill_at', retry = 'NULL' } = RELEASED[next];
  return (
    `leased = FALSE, failures = ${failures}, ready_at = CASE WHEN park_reason IS NOT NULL THEN NULL ${when}${forOthers} ELSE ${otherwise} END, ` +
    `retry_at = ${retry}, backfill_at = ${backfill}, wakes = 0`
  );
}

/** The statements on lanes. */
export function laneStatements(dialect: SqlDialect) {
  const { ledger, lane } = dialect;
  const ours = 'did = $1 AND token = $2 AND leased';
  const hasDue = (what: string): string =>
    `EXISTS (SELECT 1 FROM ${ledger} l WHERE l.did = a.did AND ${what} AND ${isDue((column) => `a.${column}`)})`;
  return {
    held: `SELECT 1 FROM ${lane} WHERE ${ours}${dialect.forUpdate}`,
    extend: `UPDATE ${lane} SET ready_at = $now + $3 WHERE ${ours}`,
    release: (next: keyof typeof RELEASED, leaves = false) => {
      const { left } = RELEASED[next];
      const forOthers =
        leaves && left
          ? ` WHEN EXISTS (SELECT 1 FROM ${ledger} l WHERE l.did = $1 AND ${left.what} AND ${isDue((column) => column)} ` +
            `AND NOT ${isKnown(dialect, left.names)} AND ${isUntried('owed')}) THEN CASE WHEN owed < $now THEN owed ELSE $now END`
          : '';
      return `UPDATE ${lane} SET ${released(next, '$3', forOthers)} WHERE ${ours}`;
    },
    lane: `SELECT ${told((column) => `a.${column}`)} FROM ${lane} a WHERE a.did = $1`,
    park: dialect.upsertLane(
      { did: '$1', park_reason: '$2', park_session: '$3', park_code: '$4' },
      (old) => ({
        park_reason: '$2',
        park_session: '$3',
        park_code: '$4',
        // A running lease goes on until its holder gives the lane back.
        ready_at: `CASE WHEN ${old('leased')} THEN ${old('ready_at')} END`,
      }),
    ),
    /**
     * `backlog_before` comes before the columns that it reads, because MySQL sees what was set further up.
     */
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
    /** While the lane is leased, `ready_at` is the end of the lease, so wake-ups are counted in `wakes`. */
    wake: dialect.upsertLane({ did: '$1', ready_at: '$now' }, (old) => ({
      // A future time is the end of a lease or of a backoff. Without either it is only the time at which the
      // lane would wake by itself, so it can be replaced.
      ready_at:
        `CASE WHEN ${old('park_reason')} IS NOT NULL AND NOT ${old('leased')} THEN NULL ` +
        `WHEN ${old('ready_at')} IS NULL OR (${old('ready_at')} > $now AND NOT ${old('leased')} AND ${old('retry_at')} IS NULL) THEN $now ` +
        `ELSE ${old('ready_at')} END`,
      wakes: `${old('wakes')} + 1`,
    })),
    /** Wakes a lane for backfill only; for live work it stays asleep. */
    wakeBackfill: dialect.upsertLane({ did: '$1', backfill_at: '$now' }, (old) => ({
      backfill_at: `COALESCE(${old('backfill_at')}, $now)`,
      wakes: `${old('wakes')} + 1`,
    })),
    /**
     * @param leaves leave out lanes in which everything due is left to other processes; `$2` has the names of
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
    /** For a lane that is awake for backfill only: it then waits with the other backfill. */
    fallBehind: `UPDATE ${lane} SET backfill_at = COALESCE(backfill_at, ready_at), ready_at = NULL, leased = FALSE ${asSeen('ready_at')}`,
    state: `SELECT ${STATE_COLUMNS.join(', ')} FROM ${lane} a WHERE a.did = $1`,
    saveOwnState: `UPDATE ${lane} SET ${assignments(STATE)} WHERE did = $1 AND token = $6 AND leased`,
    /** Does the same, and gives the lane back. */
    saveLastState: `UPDATE ${lane} SET ${assignments(STATE)}, ${released('settled', '0')} WHERE did = $1 AND token = $6 AND leased`,
    releaseSettled: `UPDATE ${lane} SET ${released('settled', '0')} WHERE ${ours}`,
    saveState: dialect.upsertLane({ did: '$1', ...STATE }, () => STATE),
  };
}
