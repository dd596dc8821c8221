import { recordStateOf } from '../metadata/record-state.js';
import { atUri, parseAtUri, type Address } from '../model/address.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { eligibilityOf } from './eligibility.js';

/** A write that would bring an account's repository in line with a row. */
export interface DueWrite {
  readonly did: string;
  readonly action: 'create' | 'update' | 'delete';
}

/** What a row asks for, as far as the database knows. */
export type Assessment =
  | { readonly kind: 'synced'; readonly uri: string; readonly cid: string }
  /** It has no record, or keeps the one at `uri` although it is not eligible. */
  | { readonly kind: 'not-eligible'; readonly reason: string; readonly uri: string | null }
  | { readonly kind: 'due'; readonly writes: readonly DueWrite[] }
  /** Its record would be kept, but the caller asks for records of ineligible entities to be deleted. */
  | { readonly kind: 'unwanted'; readonly address: Address; readonly cid: string | null };

/**
 * Compares a row with its record as the row remembers it. It makes no request, so writes of other
 * applications are not seen.
 *
 * @param row a complete instance
 * @throws MapperError, InvalidRecordError where the entity's own code fails
 */
export async function assess(
  entity: SyncedEntity,
  row: object,
  { unpublishIneligible = false } = {},
): Promise<Assessment> {
  const { uri, cid } = recordStateOf(row);
  const published = parseAtUri(uri);
  const eligibility = await eligibilityOf(entity, row);
  if (eligibility.kind !== 'record') {
    const isKept = eligibility.kind === 'leave' && eligibility.isAsked;
    if (published && eligibility.kind === 'absent')
      return { kind: 'due', writes: [{ did: published.did, action: 'delete' }] };
    if (published && unpublishIneligible && !isKept) return { kind: 'unwanted', address: published, cid };
    const reason = entity.isSoftDeleted(row) ? 'it is soft-deleted' : eligibility.reason;
    return { kind: 'not-eligible', reason, uri: published && uri };
  }
  if (!published || !uri) {
    const did = await entity.didOf(row);
    return did === null
      ? { kind: 'not-eligible', reason: 'syncAsDid() gives no DID', uri: null }
      : { kind: 'due', writes: [{ did, action: 'create' }] };
  }
  const address = await entity.addressOf(row);
  if (address && atUri(address) !== uri) {
    return {
      kind: 'due',
      writes: [
        { did: address.did, action: 'create' },
        { did: published.did, action: 'delete' },
      ],
    };
  }
  if (cid !== null && (await entity.toRecord(row)).cid === cid) return { kind: 'synced', uri, cid };
  return { kind: 'due', writes: [{ did: published.did, action: 'update' }] };
}
