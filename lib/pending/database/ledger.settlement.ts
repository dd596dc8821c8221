import { LeaseLostError } from '../../errors/lease-lost.error.js';
import { parseAtUri } from '../../model/address.js';
import type { RepositoryState } from '../../pds/repository-state.store.js';
import type { SqlScript } from '../../database/sql-script.js';
import type { Lease, SettledEntry } from '../pending-entry.js';
import { stateValues } from './database-repository-state.store.js';
import type { UpdateRow } from './dialect.js';
import type { LedgerAccess } from './ledger.access.js';
import { SETTLE } from './ledger.updates.js';

/**
 * `PendingSyncStore.settleWith`. The lane comes last, and says whether it is still ours: whoever wants to take it waits for the end of the
 * transaction from then on, and if somebody has taken it before, nothing of this happens.
 */
export function* settlement<T>(
  { connection, dialect, sql }: LedgerAccess,
  { did, token }: Lease,
  work: SqlScript<T>,
  along: (result: T) => {
    readonly done: readonly SettledEntry[];
    readonly state: RepositoryState | undefined;
  },
): SqlScript<T> {
  const result = yield* work;
  const { done, state } = along(result);
  if (done.length > 0) yield* dialect.update(connection, SETTLE, settledRows(done));
  const isHeld = state
    ? (yield connection.statement(sql.lanes.saveOwnState, [...stateValues(did, state), token])).affected > 0
    : (yield connection.statement(sql.lanes.held, [did, token])).rows.length > 0;
  if (!isHeld) throw new LeaseLostError(did);
  return result;
}

export const settledRows = (done: readonly SettledEntry[]): UpdateRow[] =>
  done.flatMap(({ uri, version, cid, asIs = false, stays = false }) =>
    keyed(uri, version, { cid: cid ?? undefined, seen: asIs ? 0 : 1, stays: stays ? 1 : 0 }),
  );

export function keyed(uri: string, version: number, rest: UpdateRow): UpdateRow[] {
  const address = parseAtUri(uri);
  return address ? [{ ...address, version, ...rest }] : [];
}
