import { recordStateOf } from '../metadata/record-state.js';
import { SyncResult } from '../model/sync-result.js';
import { atUri } from '../model/address.js';
import type { Change } from './change.js';

/**
 * The result of a change that asks for nothing, told from the instance in hand, without loading the row again; null if there may
 * be something to do. Only sound while nothing of that DID is under way: a write in flight has not come to the row yet.
 * An instance that misses what somebody else committed cannot mislead it for long: that commit asks for itself.
 */
export async function quickResult(change: Change): Promise<SyncResult | null> {
  const result = await foreseenResult(change);
  const { entity, instance, whole } = change;
  if (result && whole && instance && instance !== whole) entity.show(instance, recordStateOf(whole));
  return result;
}

/** The same as far as the row knows, and shown to nobody. */
export async function foreseenResult({
  entity,
  address,
  trigger,
  whole,
}: Change): Promise<SyncResult | null> {
  if (trigger !== 'auto' || !whole || entity.isSoftDeleted(whole)) return null;
  const { uri, cid } = recordStateOf(whole);
  try {
    if (!(await entity.shouldAutoSync(whole))) {
      const kept = uri === null || entity.sync.whenNotEligible === 'keep';
      return kept ? new SyncResult('skipped', { reason: 'shouldAutoSync() is false' }) : null;
    }
    if (uri === null || cid === null || uri !== atUri(address)) return null;
    return (await entity.toRecord(whole)).cid === cid ? new SyncResult('unchanged', { uri, cid }) : null;
  } catch {
    // The run that follows meets the same error, and reports it.
    return null;
  }
}
