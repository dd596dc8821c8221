import { LONGEST_REST_FROM, restAfter } from '../record-rest.js';
import type { SqlDialect } from './dialect.js';
import { micros } from './ledger-row.js';

/**
 * What can be tried by itself: no backlog, waiting for no session, and not resting. `lane` gives a column of
 * the lane.
 */
export const isDue = (lane: (column: string) => string): string =>
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

/** Only backfill waits for a turn. */
export const hasTurn = (lane: (column: string) => string): string =>
  `(NOT l.backfill OR COALESCE(${lane('backfill_at')}, 0) <= $now)`;

export const hasSession = (lane: (column: string) => string): string =>
  `(l.session_wanted_at IS NULL OR l.session_wanted_at <= COALESCE(${lane('unparked_at')}, 0))`;

/**
 * Of a class that this process knows, or an entry that takes none. `$number` has the names of the others, as
 * JSON.
 */
export const isKnown = (dialect: SqlDialect, number: number): string =>
  `(l.orphaned OR l.entity_name NOT IN (SELECT n.name FROM ${dialect.table(number, 'n', { name: 'text' })}))`;
