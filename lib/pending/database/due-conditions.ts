import { LONGEST_REST_FROM, restAfter } from '../record-rest.js';
import type { SqlDialect } from './dialect.js';
import { micros } from './ledger-row.js';

/**
 * Whether an entry can be attempted automatically: it is in no conflict and no backlog, waits for no session
 * or turn, and does not rest. `lane` gives a column of the lane.
 */
export const isDue = (lane: (column: string) => string): string =>
  `l.pending_since IS NOT NULL AND ${NO_CONFLICT} AND NOT ${isBacklog(lane)} AND ${hasSession(lane)} AND ${hasTurn(lane)} AND ${isRested(lane)}`;

/** An entry in conflict waits until the conflict is resolved, also when it is retried by hand. */
export const NO_CONFLICT = 'l.conflict_at IS NULL';

/**
 * Whether an entry waits for a retry by hand. It was parked when its account signed in, or waited for a
 * session on its own.
 */
export const isBacklog = (lane: (column: string) => string): string =>
  `(l.changed_at <= COALESCE(${lane('backlog_before')}, 0) OR COALESCE(l.session_wanted_at <= ${lane('session_backlog_before')}, FALSE))`;

/** Whether the rest after a failure of the record is over. A sign-in ends every rest. */
const isRested = (lane: (column: string) => string): string =>
  `(l.attempts = 0 OR l.tried_at IS NULL OR l.tried_at <= COALESCE(${lane('unparked_at')}, 0) OR l.tried_at <= $now - ${REST})`;

const REST = `CASE ${Array.from({ length: LONGEST_REST_FROM - 1 }, (_, index) => `WHEN l.attempts = ${index + 1} THEN ${micros(restAfter(index + 1))}`).join(' ')} ELSE ${micros(restAfter(LONGEST_REST_FROM))} END`;

/** Only backfill waits for a turn. */
export const hasTurn = (lane: (column: string) => string): string =>
  `(NOT l.backfill OR COALESCE(${lane('backfill_at')}, 0) <= $now)`;

export const hasSession = (lane: (column: string) => string): string =>
  `(l.session_wanted_at IS NULL OR l.session_wanted_at <= COALESCE(${lane('unparked_at')}, 0))`;

/**
 * Whether this process knows the class of an entry, or the entry needs none. `$number` has the names of
 * unknown classes, as JSON.
 */
export const isKnown = (dialect: SqlDialect, number: number): string =>
  `(l.orphaned OR l.entity_name NOT IN (SELECT n.name FROM ${dialect.table(number, 'n', { name: 'text' })}))`;
