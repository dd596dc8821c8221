import type { SyncedEntity } from '../entities/synced-entity.js';
import { mapAnswer, type Answer } from '../runtime/answers.js';

/**
 * What an entity asks for at the address of its record, while its row exists and the application asks for
 * nothing else by hand.
 */
export type Eligibility =
  | { readonly kind: 'record' }
  /** There should be no record. */
  | { readonly kind: 'absent'; readonly reason: string }
  /** An existing record stays as it is. `isAsked`: the entity itself asked for that. */
  | { readonly kind: 'leave'; readonly reason: string; readonly isAsked: boolean };

/**
 * The only place that answers what a row asks for. Which account owns the row is a separate question, asked
 * only of eligible rows.
 *
 * @param row a complete instance
 * @returns a promise only if `shouldAutoSync` or `shouldAutoUnsync` returns one
 * @throws MapperError when `shouldAutoSync` or `shouldAutoUnsync` throws
 */
export function eligibilityOf(entity: SyncedEntity, row: object): Answer<Eligibility> {
  if (entity.isSoftDeleted(row))
    return mapAnswer(entity.shouldAutoUnsync(row, { soft: true }), (goes) => (goes ? SOFT_DELETED : KEPT));
  return mapAnswer(entity.shouldAutoSync(row), (isEligible) => {
    if (isEligible) return ELIGIBLE;
    return entity.sync.whenNotEligible === 'unpublish' ? HIDDEN : LEFT;
  });
}

export const ELIGIBLE: Eligibility = { kind: 'record' };
const SOFT_DELETED: Eligibility = { kind: 'absent', reason: 'it is soft-deleted' };
const KEPT: Eligibility = { kind: 'leave', reason: 'shouldAutoUnsync() keeps the record', isAsked: true };
const HIDDEN: Eligibility = { kind: 'absent', reason: 'shouldAutoSync() is false' };
const LEFT: Eligibility = { kind: 'leave', reason: 'shouldAutoSync() is false', isAsked: false };
