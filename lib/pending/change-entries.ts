import type { SyncedEntities } from '../entities/synced-entities.js';
import type { Change, RememberedRecord, Unresolved } from '../sync/change.js';
import { unresolvedChange } from '../sync/unresolved.js';
import type { PendingChange, PendingEntry } from './pending-entry.js';

/** Whether a process with these classes can attempt a pending sync. An orphan needs its address only. */
export const isKnown = ({ entityName, orphaned }: PendingEntry, entities: SyncedEntities): boolean =>
  orphaned || entities.stored(entityName) !== undefined;

/** Turns a pending sync that {@link isKnown} back into a change. */
export function toChange(entry: PendingEntry, entities: SyncedEntities): Change {
  const entity = entities.stored(entry.entityName) ?? entities.unknownClass(entry.entityName);
  const { entityId, address, trigger, operation, cid, keepRecord, givenUp, orphaned, mayDelete } = entry;
  const asked = {
    entity,
    entityId,
    address,
    trigger,
    operation,
    cid,
    keepRecord,
    givenUp,
    orphaned,
    mayDelete,
  };
  const remembered = rememberedOf(entry);
  return { ...asked, remembered, instance: undefined, snapshot: undefined, origin: undefined };
}

/** What an entry remembers of its record; undefined for nothing. */
export const rememberedOf = ({ foreign, mapped }: PendingEntry): RememberedRecord | undefined =>
  foreign || mapped ? { foreign, mapped } : undefined;

/** The pending change for an entity whose address could not be determined. */
export const unresolvedToPending = (unresolved: Unresolved): PendingChange =>
  toPending(unresolvedChange(unresolved));

/** The pending change for an address that a reconciliation found. */
export const toBackfill = (change: Change): PendingChange => ({ ...toPending(change), backfill: true });

export const toPending = (change: Change): PendingChange => ({
  address: change.address,
  entityName: change.entity.storedName,
  entityId: change.entityId,
  operation: change.operation,
  trigger: change.trigger,
  cid: change.cid,
  keepRecord: change.keepRecord,
  givenUp: change.givenUp,
  orphaned: change.orphaned ?? false,
  mayDelete: change.mayDelete,
  backfill: false,
});
