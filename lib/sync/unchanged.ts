import type { QueryRunner } from 'typeorm';
import { onCommittedData } from '../database/committed-data.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import { isPromise, mapAnswer, type Answer } from '../runtime/answers.js';
import type { Change } from './change.js';
import { eligibilityOf } from './eligibility.js';

/**
 * The result of a change that needs nothing done, judged by the instance in hand without loading the row;
 * null if there may be something to do.
 * - Sound only while no work on the DID is under way: the row does not show a write in flight yet.
 * - An instance may lack what another transaction has committed to its row. That misleads this check only for
 *   a moment, because that commit makes a change of its own.
 *
 * @param own the caller's connection after its commit
 */
export async function resultInHand(change: Change, own?: QueryRunner): Promise<SyncResult | null> {
  const { entity, instance, snapshot } = change;
  let result = await resultOfSnapshot(change);
  if (result && needsRow(change, result)) {
    const rows = onCommittedData(entity.dataSource, own, (runner) => rowsOf([change], runner));
    const [row] = await rows.catch(() => []);
    result = row ? await resultOfSnapshot(row) : null;
  }
  if (result && snapshot && instance && instance !== snapshot) entity.show(instance, recordStateOf(snapshot));
  return result;
}

/** Judges by the snapshot of the change alone, and shows nothing on instances. */
export function resultOfSnapshot(change: Change): Answer<SyncResult | null> {
  const { entity, address, trigger, snapshot } = change;
  if (trigger !== 'auto' || !snapshot) return null;
  const { uri, cid } = recordStateOf(snapshot);
  try {
    const result = mapAnswer(eligibilityOf(entity, snapshot), (eligibility) => {
      if (eligibility.kind !== 'record') {
        const isThere = eligibility.kind === 'absent' && uri !== null;
        return isThere ? null : new SyncResult('skipped', { reason: eligibility.reason });
      }
      if (uri === null || cid === null || uri !== atUri(address)) return null;
      return mapAnswer(entity.toRecord(snapshot), (prepared) =>
        prepared.cid === cid ? new SyncResult('unchanged', { uri, cid }) : null,
      );
    });
    // The work that follows meets the same error, and reports it.
    return isPromise(result) ? result.catch(() => null) : result;
  } catch {
    return null;
  }
}

/**
 * Whether the stored row has to confirm that there is nothing to do. A caller may have set a string where the
 * row has a date, and related rows may have changed since the caller loaded them.
 */
export const needsRow = ({ entity, isRow = false }: Change, { status }: SyncResult): boolean =>
  !isRow && (status === 'skipped' || entity.hasRelations);

/** The same changes with rows in place of the instances in hand. Changes whose rows are gone are left out. */
export async function rowsOf(changes: readonly Change[], runner: QueryRunner): Promise<Change[]> {
  const found: Change[] = [];
  for (const [entity, group] of Map.groupBy(changes, (change) => change.entity)) {
    const ids = group.map(({ entityId }) => entityId);
    const rows = await entity.load(ids, runner.manager);
    for (const change of group) {
      const snapshot = rows.get(change.entityId);
      if (snapshot) found.push({ ...change, snapshot, isRow: true });
    }
  }
  return found;
}
