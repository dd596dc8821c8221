import { RetryLaterError } from '../errors/retry-later.error.js';
import type { RowAccess } from '../database/row-access.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { answeredAtOnce, type Answer } from '../runtime/answers.js';
import { eligibilityOf, type Eligibility } from './eligibility.js';

/**
 * Inside a transaction, a promise of the entity's own code is not awaited. The code is asked again after the
 * commit.
 */
export class NotToldYetError extends RetryLaterError {}

/**
 * The account that owns a row.
 *
 * @throws NotToldYetError inside a transaction, if `syncAsDid` returns a promise
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

/** What a row asks for. Undefined if its own code fails, or returns a promise inside a transaction. */
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
