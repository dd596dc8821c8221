import type { SyncedEntities } from '../records/synced-entities.js';
import type { Change } from '../sync/change.js';
import type { PendingChange, PendingEntry } from './pending-entry.js';

/** A pending sync as the change that it was made of; null if its entity class is not there any more. */
export function toChange(entry: PendingEntry, entities: SyncedEntities): Change | null {
  const entity = entities.named(entry.entityName);
  if (!entity) return null;
  const { entityId, address, trigger, operation, cid, keepRecord, givenUp, mayDelete } = entry;
  const asked = { entity, entityId, address, trigger, operation, cid, keepRecord, givenUp, mayDelete };
  return { ...asked, instance: undefined, whole: undefined, origin: undefined };
}

/** What a reconciliation found. */
export const toBackfill = (change: Change): PendingChange => ({ ...toPending(change), backfill: true });

export const toPending = (change: Change): PendingChange => ({
  address: change.address,
  entityName: change.entity.name,
  entityId: change.entityId,
  operation: change.operation,
  trigger: change.trigger,
  cid: change.cid,
  keepRecord: change.keepRecord,
  givenUp: change.givenUp,
  mayDelete: change.mayDelete,
  backfill: false,
});
