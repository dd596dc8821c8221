import { RetryLaterError } from '../errors/retry-later.error.js';
import { RowRefusedError } from '../errors/row-refused.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { isRefusedStatement } from '../database/database-failure.js';
import type { RowAccess } from '../database/row-access.js';
import { RecordRows } from '../entities/record-row.js';
import {
  freeRows,
  isAsBefore,
  writeRow,
  type KeyWrite,
  type RecordRow,
  type RowWrite,
} from '../entities/row-write.js';
import { soon } from '../runtime/backoff.js';
import { runTogether } from '../database/sql-script.js';
import type { SyncedEntity } from '../entities/synced-entity.js';

/**
 * Another transaction holds the row. Waiting for its end would hold a connection of the pool, which that
 * transaction may need.
 */
export const heldRow = ({ name }: SyncedEntity, entityId: string): RetryLaterError =>
  new RetryLaterError(`The row of ${name} ${entityId} is held by an open transaction.`, {
    retryAt: soon(),
    entityName: name,
    entityId,
  });

/** Why the database did not write to a row that no transaction holds: a trigger suppressed the update. */
export const IGNORED = 'the update was ignored';

/** Whether a row is unchanged after a write that failed, although no transaction holds it. */
export async function isFreeRow(entity: SyncedEntity, write: RowWrite, rows: RowAccess): Promise<boolean> {
  return (await rows.use((runner) => runTogether(freeRows(entity, [write]), runner))).length > 0;
}

/**
 * Writes a record key to a row.
 *
 * @returns the row's key: this one, or one that another writer has given it; nothing once the row is gone
 * @throws RetryLaterError while another transaction holds the row
 * @throws RowRefusedError if the database refuses. Inside a transaction its own error is thrown instead,
 *   because that transaction is broken
 */
export async function writeKey(
  entity: SyncedEntity,
  write: KeyWrite,
  rows: RowAccess,
): Promise<Partial<RecordRow>> {
  const refused = (cause: unknown): RowRefusedError =>
    new RowRefusedError(
      `The database refuses to write a record key to the row of ${entity.name} ${write.id}: ` +
        reasonOf(cause),
      { entityName: entity.name, entityId: write.id, cause },
    );
  try {
    if (await rows.use((runner) => runTogether(writeRow(entity, write), runner)))
      return { rkey: write.set.rkey };
  } catch (error) {
    if (rows.isInTransaction || !isRefusedStatement(error)) throw error;
    throw refused(error);
  }
  const row = (await rows.use((runner) => new RecordRows(entity).read(runner, [write.id]))).get(write.id);
  if (!row || !isAsBefore(row, write)) return row ?? {};
  throw (await isFreeRow(entity, write, rows)) ? refused(IGNORED) : heldRow(entity, write.id);
}
