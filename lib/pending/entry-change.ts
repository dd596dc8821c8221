import type { SyncedEntities } from '../records/synced-entities.js';
import type { Change } from '../sync/change.js';
import { isGivenUp } from '../sync/merged-changes.js';
import type { PendingChange, PendingEntry } from './pending-entry.js';

/** Whether a process with these classes can try a pending sync: where the row is gone, its address is enough. */
export const isKnown = ({ entityName, rowGone }: PendingEntry, entities: SyncedEntities): boolean =>
  rowGone || entities.stored(entityName) !== undefined;

/**
 * A pending sync as the change that it was made of, if it {@link isKnown}.
 *
 * @param mayExist an earlier try may have reached the PDS, and nothing but the PDS remembers
 */
export function toChange(entry: PendingEntry, entities: SyncedEntities, mayExist: boolean): Change {
  const entity = entities.stored(entry.entityName) ?? entities.unknownClass(entry.entityName);
  const { entityId, address, trigger, operation, cid, keepRecord, rowGone } = entry;
  const asked = { entity, entityId, address, trigger, operation, cid, keepRecord, rowGone, mayExist };
  return { ...asked, instance: undefined, whole: undefined, origin: undefined };
}

/** What a reconciliation found. */
export const toBackfill = (change: Change): PendingChange => ({ ...toPending(change), backfill: true });

export const toPending = (change: Change): PendingChange => ({
  address: change.address,
  entityName: change.entity.storedName,
  entityId: change.entityId,
  operation: change.operation,
  trigger: change.trigger,
  cid: change.cid,
  keepRecord: change.keepRecord,
  givenUp: isGivenUp(change),
  rowGone: change.rowGone ?? false,
  backfill: false,
});
