import { atUri } from '../model/address.js';
import { keptTrigger } from './asked-by-hand.js';
import type { Change } from './change.js';

/**
 * Merges changes to one per address. An entity that claims the address wins over one that gave it up (a row
 * that was deleted and inserted again under a fixed key). Otherwise the last change wins.
 */
export function mergedByAddress(changes: readonly Change[]): readonly Change[] {
  if (changes.length < 2) return changes;
  const merged = new Map<string, Change>();
  for (const change of changes) {
    const uri = atUri(change.address);
    const before = merged.get(uri);
    merged.set(uri, before ? merge(before, change) : change);
  }
  return [...merged.values()];
}

function merge(before: Change, after: Change): Change {
  const [winner, other] = after.givenUp && !before.givenUp ? [before, after] : [after, before];
  const isSame = before.entity === after.entity && before.entityId === after.entityId;
  const trigger = isSame && winner === after ? keptTrigger(before, after) : null;
  const { operation, keepRecord } = before;
  return { ...winner, cid: winner.cid ?? other.cid, ...(trigger && { trigger, operation, keepRecord }) };
}
