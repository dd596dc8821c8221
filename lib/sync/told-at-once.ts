import { RetryLaterError } from '../errors/retry-later.error.js';
import type { RowAccess } from '../database/row-access.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { atOnce } from './at-once.js';

/** Inside a transaction an entity's own code waits for something: it is asked again after the commit. */
export class NotToldYetError extends RetryLaterError {}

/**
 * The account that owns a row.
 *
 * @throws NotToldYetError inside a transaction, where there is no waiting for the world, which may wait for
 *   the transaction
 */
export async function ownerTold(
  entity: SyncedEntity,
  row: object,
  rows: RowAccess | undefined,
): Promise<string | null> {
  const plain = entity.plainDidOf(row);
  if (plain !== undefined) return plain;
  const owner = entity.didOf(row);
  if (!rows?.isInTransaction) return owner;
  const [told] = await atOnce([Promise.allSettled([owner])]);
  if (told) return owner;
  throw new NotToldYetError(`The account of ${entity.name} ${entity.idOf(row)} is told after the commit.`);
}
