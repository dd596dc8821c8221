import type { RepositoryState } from '../../pds/repository-state.store.js';
import type { Lane } from '../pending-entry.js';
import { micros, toDate } from './ledger-row.js';

export interface LaneRow {
  readonly park_reason: string | null;
  readonly park_session: string | null;
  readonly park_code: string | null;
  readonly retry_at: number | string | null;
  readonly failures: number | string;
  readonly just_freed: number | string;
}

export interface StateRow {
  readonly head: string | null;
  readonly in_flight: string | null;
  readonly unsettled: string | null;
  readonly spent: string | null;
}

/** The lane as the worker reads it that has just taken it. */
export interface TakenRow extends LaneRow, StateRow {
  readonly token: number | string;
}

export const STATE_COLUMNS = ['head', 'in_flight', 'unsettled', 'spent'] as const;

/** Gives a column of a lane. */
type Column = (name: string) => string;

/** In microseconds: much longer than the time between a capture and its commit. */
const JUST = micros(60_000);

const columns = (of: Column, retries: string): string =>
  `${['park_reason', 'park_session', 'park_code', 'failures'].map(of).join(', ')}, ` +
  `CASE WHEN ${retries} THEN ${of('retry_at')} END AS retry_at, ` +
  `CASE WHEN ${of('backlog_before')} > $now - ${JUST} THEN 1 ELSE 0 END AS just_freed`;

/** The columns of a {@link LaneRow}. */
export const told = (of: Column): string => columns(of, `NOT ${of('leased')} AND ${of('ready_at')} > $now`);

/** The columns of a {@link TakenRow}. */
export const taken = (of: Column): string =>
  // `owed` is the `ready_at` that the lane had before it was leased.
  `${['token', ...STATE_COLUMNS].map(of).join(', ')}, ${columns(of, `${of('owed')} > $now`)}`;

/** Whether a worker can take the lane. With `anyway`, a park or a backoff does not stop it. */
export const canBeTaken = (of: Column, anyway: boolean): string => {
  const isFree = `(NOT ${of('leased')} OR ${of('ready_at')} <= $now)`;
  if (anyway) return isFree;
  const isDelayed = `NOT ${of('leased')} AND ${of('retry_at')} IS NOT NULL AND ${of('ready_at')} > $now`;
  return `${isFree} AND ${of('park_reason')} IS NULL AND NOT COALESCE(${isDelayed}, FALSE)`;
};

export function toLane(did: string, row: LaneRow | undefined): Lane {
  if (!row) return { did, park: null, justFreed: false, retryAt: null, failures: 0 };
  const { park_reason: reason, park_session: sessionId, park_code: code } = row;
  return {
    did,
    park: reason === null ? null : { reason, sessionId, code: code ?? '' },
    justFreed: Number(row.just_freed) === 1,
    retryAt: row.retry_at === null ? null : toDate(row.retry_at),
    failures: Number(row.failures),
  };
}

export function toState({ head, in_flight, unsettled, spent }: StateRow): RepositoryState | null {
  if ([head, in_flight, unsettled, spent].every((value) => value === null)) return null;
  return {
    head,
    inFlight: in_flight === null ? null : (JSON.parse(in_flight) as RepositoryState['inFlight']),
    unsettled: unsettled === null ? {} : (JSON.parse(unsettled) as RepositoryState['unsettled']),
    spentPoints: spent === null ? [] : (JSON.parse(spent) as RepositoryState['spentPoints']),
  };
}

/** The parameters of `saveState`: the DID, and one value for each of {@link STATE_COLUMNS}. */
export const stateValues = (
  did: string,
  { head, inFlight, unsettled, spentPoints }: RepositoryState,
): unknown[] => [
  did,
  head,
  inFlight && JSON.stringify(inFlight),
  JSON.stringify(unsettled),
  JSON.stringify(spentPoints),
];
