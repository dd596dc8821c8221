import type { SyncedEntity } from '../entities/synced-entity.js';

/**
 * What an entity asks for at the address of its record, as long as its row is there and no caller asks for
 * something else.
 */
export type Demand =
  | { readonly kind: 'record' }
  /** There is to be no record. */
  | { readonly kind: 'absent'; readonly reason: string }
  /** A record that is there stays as it is. `isAsked`: the entity itself asked for that. */
  | { readonly kind: 'leave'; readonly reason: string; readonly isAsked: boolean };

/**
 * The one answer to "what does this row ask for?". The account is a question of its own, asked of what is
 * eligible.
 *
 * @param row a whole instance
 * @throws MapperError when `shouldAutoSync` or `shouldAutoUnsync` throws
 */
export async function demandOf(entity: SyncedEntity, row: object): Promise<Demand> {
  if (entity.isSoftDeleted(row)) {
    return (await entity.shouldAutoUnsync(row, { soft: true }))
      ? { kind: 'absent', reason: 'it is soft-deleted' }
      : { kind: 'leave', reason: 'shouldAutoUnsync() keeps the record', isAsked: true };
  }
  if (await entity.shouldAutoSync(row)) return { kind: 'record' };
  const reason = 'shouldAutoSync() is false';
  return entity.sync.whenNotEligible === 'unpublish'
    ? { kind: 'absent', reason }
    : { kind: 'leave', reason, isAsked: false };
}
