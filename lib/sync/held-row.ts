import { RetryLaterError } from '../errors/retry-later.error.js';
import type { SyncedEntity } from '../records/synced-entity.js';

/** In ms. */
const SOON = 1_000;

/** A transaction has the row. Waiting for its end would hold a connection of the pool, which that transaction may need. */
export const heldRow = ({ name }: SyncedEntity, entityId: string): RetryLaterError =>
  new RetryLaterError(`The row of ${name} ${entityId} is held by an open transaction.`, {
    retryAt: new Date(Date.now() + SOON),
    entityName: name,
    entityId,
  });
