import { LeaseLostError } from '../../errors/lease-lost.error.js';
import { parseAtUri } from '../../model/address.js';
import { isRefusedStatement } from '../../database/database-failure.js';
import { asScript, type SqlScript, type Statement } from '../../database/sql-script.js';
import type { Lease, SettledEntry, Settlement } from '../pending-entry.js';
import { stateValues } from './lane-row.js';
import type { UpdateRow } from './dialect.js';
import type { LedgerAccess } from './ledger.access.js';
import { SETTLE } from './ledger.updates.js';

/**
 * See `PendingChangeStore.settleWith`. The lane is written last, which shows whether the lease is still ours.
 * From then on, a worker that wants the lane waits for the end of this transaction. If another worker took
 * the lane before, all of this is rolled back.
 */
export function* settlement<T>(
  { connection, dialect, sql }: LedgerAccess,
  { did, token }: Lease,
  work: SqlScript<T>,
  settlementOf: (result: T) => Settlement,
): SqlScript<T> {
  const result = yield* work;
  const { done, state, isLast } = settlementOf(result);
  if (done.length > 0) yield* dialect.update(connection, SETTLE, settledRows(done));
  const { held, releaseSettled, saveOwnState, saveLastState } = sql.lanes;
  const lane = state
    ? connection.statement(isLast ? saveLastState : saveOwnState, [...stateValues(did, state), token])
    : connection.statement(isLast ? releaseSettled : held, [did, token]);
  const { affected, rows } = yield lane;
  if (affected === 0 && rows.length === 0) throw new LeaseLostError(did);
  return result;
}

/** See `PendingChangeStore.settleRow`. */
export async function settleRow(
  { connection, dialect, sql }: LedgerAccess,
  lease: Lease,
  row: Statement,
  { done, state, isLast }: Settlement,
): Promise<boolean> {
  if (!state || !dialect.rowSettlement) return false;
  const { saveOwnState, saveLastState } = sql.lanes;
  const lane = {
    text: isLast ? saveLastState : saveOwnState,
    parameters: [...stateValues(lease.did, state), lease.token],
  };
  const statement = dialect.rowSettlement(connection, { row, lane, lease, entries: settledRows(done) });
  try {
    return (await connection.inTurn(asScript(statement))).rows.length > 0;
  } catch (error) {
    // {@link settlement} then runs each part as a statement of its own, which shows which part the database
    // refused.
    if (isRefusedStatement(error)) return false;
    throw error;
  }
}

export const settledRows = (done: readonly SettledEntry[]): UpdateRow[] =>
  done.flatMap(({ uri, version, cid, asIs = false, stays = false, rev, base }) =>
    keyed(uri, version, {
      cid: cid ?? undefined,
      seen: asIs ? 0 : 1,
      stays: stays ? 1 : 0,
      rev,
      base: base && JSON.stringify(base),
    }),
  );

export function keyed(uri: string, version: number, rest: UpdateRow): UpdateRow[] {
  const address = parseAtUri(uri);
  return address ? [{ ...address, version, ...rest }] : [];
}
