import type { SyncedEntity } from '../entities/synced-entity.js';
import { mapAnswer, type Answer } from '../runtime/answers.js';

/**
 * What an entity asks for at the address of its record, as long as its row is there and no caller asks for
 * something else by hand.
 */
export type Eligibility =
  | { readonly kind: 'record' }
  /** There is to be no record. */
  | { readonly kind: 'absent'; readonly reason: string }
  /** A record that is there stays as it is. `isAsked`: the entity itself asked for that. */
  | { readonly kind: 'leave'; readonly reason: string; readonly isAsked: boolean };

/**
 * The one answer to "what does this row ask for?". The account is a question of its own, asked of what is
 * eligible.
 *
 * @param row a complete instance
 * @returns a promise only if `shouldAutoSync` or `shouldAutoUnsync` gives one
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
