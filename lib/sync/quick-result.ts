import type { QueryRunner } from 'typeorm';
import { recordStateOf } from '../metadata/record-state.js';
import { SyncResult } from '../model/sync-result.js';
import { atUri } from '../model/address.js';
import { onCommittedData } from '../database/committed-data.js';
import type { Change } from './change.js';
import { demandOf } from './eligibility.js';

/**
 * The result of a change that asks for nothing, told from the instance in hand, without loading the row
 * again; null if there may be something to do. Only sound while nothing of that DID is under way: a write in
 * flight has not come to the row yet. An instance that misses what somebody else committed to its row cannot
 * mislead it for long: that commit asks for itself.
 *
 * @param own the caller's connection after its commit
 */
export async function quickResult(change: Change, own?: QueryRunner): Promise<SyncResult | null> {
  const { entity, instance, snapshot } = change;
  let result = await foreseenResult(change);
  if (result && needsRow(change, result)) {
    const rows = onCommittedData(entity.dataSource, own, (runner) => rowsOf([change], runner));
    const [row] = await rows.catch(() => []);
    result = row ? await foreseenResult(row) : null;
  }
  if (result && snapshot && instance && instance !== snapshot) entity.show(instance, recordStateOf(snapshot));
  return result;
}

/** The same as far as the row knows, and shown to nobody. */
export async function foreseenResult({
  entity,
  address,
  trigger,
  snapshot,
}: Change): Promise<SyncResult | null> {
  if (trigger !== 'auto' || !snapshot) return null;
  const { uri, cid } = recordStateOf(snapshot);
  try {
    const demand = await demandOf(entity, snapshot);
    if (demand.kind !== 'record') {
      const isLeft = demand.kind === 'leave' || (uri === null && !entity.isSoftDeleted(snapshot));
      return isLeft ? new SyncResult('skipped', { reason: demand.reason }) : null;
    }
    if (uri === null || cid === null || uri !== atUri(address)) return null;
    return (await entity.toRecord(snapshot)).cid === cid ? new SyncResult('unchanged', { uri, cid }) : null;
  } catch {
    // The run that follows meets the same error, and reports it.
    return null;
  }
}

/**
 * Whether the row has to confirm that there is nothing to do: what a caller gave as a string is a date in the
 * row, and related rows may have changed since the caller loaded them.
 */
export const needsRow = ({ entity, isRow = false }: Change, { status }: SyncResult): boolean =>
  !isRow && (status === 'skipped' || entity.hasRelations);

/** The same changes with their rows in place of the instances in hand; without those whose rows are gone. */
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
