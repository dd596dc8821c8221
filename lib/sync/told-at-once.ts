import { RetryLaterError } from '../errors/retry-later.error.js';
import type { RowAccess } from '../database/row-access.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { answeredAtOnce, type Answer } from '../runtime/answers.js';
import { eligibilityOf, type Eligibility } from './eligibility.js';

/** In a transaction, an entity's own code gives a promise: it is asked again after the commit. */
export class NotToldYetError extends RetryLaterError {}

/**
 * The account that owns a row.
 *
 * @throws NotToldYetError in a transaction, if `syncAsDid` gives a promise
 */
export function ownerTold(
  entity: SyncedEntity,
  row: object,
  rows: RowAccess | undefined,
): Answer<string | null> {
  const answer = entity.didOf(row);
  if (!rows?.isInTransaction) return answer;
  const told = answeredAtOnce(answer);
  if (told) return told.value;
  throw new NotToldYetError(`The account of ${entity.name} ${entity.idOf(row)} is told after the commit.`);
}

/** What a row asks for; undefined: its own code failed, or gives a promise in a transaction. */
export async function eligibilityTold(
  entity: SyncedEntity,
  row: object,
  rows: RowAccess | undefined,
): Promise<Eligibility | undefined> {
  try {
    const answer = eligibilityOf(entity, row);
    return rows?.isInTransaction ? answeredAtOnce(answer)?.value : await answer;
  } catch {
    // The work that follows meets the same error, and reports it.
    return undefined;
  }
}
