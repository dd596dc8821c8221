import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import type { PreparedRecord } from '../records/record-json.js';
import type { Change } from './change.js';
import { isGivenUp } from './merged-changes.js';

/** What should be at an address. */
export type Desired =
  | { readonly kind: 'record'; readonly prepared: PreparedRecord }
  | { readonly kind: 'absent' }
  /** Nothing is to be done, whatever is there. */
  | { readonly kind: 'as-is'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: Error };

/** A changed address together with the entity that may claim it, and what follows. */
export interface Target {
  readonly change: Change;
  readonly uri: string;
  /** The row as committed; undefined once it is gone. */
  readonly row: object | undefined;
  /** Whether the row's record belongs at this address (it may have moved to another). */
  readonly claimed: boolean;
  /** The CID that we wrote there last; null: none that we know of. */
  readonly known: string | null;
  readonly desired: Desired;
  /** The entity has another address by now, and no record yet: the key was renewed while this change waited. */
  readonly elsewhere?: Change | undefined;
  /** Its entity gets another address as it is settled. */
  readonly spent?: boolean;
}

/** The same once it is known that the record is gone, and that its key is spent. */
export const asGone = (target: Target): Target => ({ ...target, desired: { kind: 'absent' }, spent: true });

/**
 * Asks of one address: which entity claims it now, and what should be there?
 *
 * @param written the CID that this run has written there already, though no row has taken it up
 */
export async function targetOf(
  change: Change,
  row: object | undefined,
  written: string | null,
): Promise<Target> {
  const uri = atUri(change.address);
  const state = row && recordStateOf(row);
  let known = state?.uri === uri ? state.cid : written;
  try {
    const claimed = row !== undefined && (await claims(change, row));
    // No row remembers the record: it is gone, or it has only just taken the address over.
    if (!claimed || state?.uri === null) known ??= change.cid;
    const desired = await desire(change, row, claimed);
    const elsewhere = claimed ? undefined : await movedOn(change, row);
    return { change, uri, row, claimed, known, desired, elsewhere, spent: claimed && isRenewal(change) };
  } catch (error) {
    return { change, uri, row, claimed: true, known, desired: { kind: 'failed', error: error as Error } };
  }
}

/** A change that names a key which a delete has renewed meanwhile concerns the entity all the same: nobody else knows of the new address. */
export async function movedOn(change: Change, row: object | undefined): Promise<Change | undefined> {
  const { entity, trigger } = change;
  if (row === undefined || trigger === 'unpublish' || isGivenUp(change)) return undefined;
  const { uri, rkey } = recordStateOf(row);
  if (uri !== null || rkey === null) return undefined;
  // By hand a record can be published in any account.
  const next = trigger === 'renew' ? 'auto' : trigger;
  const address = next === 'auto' ? await entity.addressOf(row) : { ...change.address, rkey };
  return address === null
    ? undefined
    : { ...change, trigger: next, address, operation: 'publish', cid: null, whole: undefined };
}

/** A fixed record key is not renewed: what is due there is decided at once. */
const isRenewal = ({ trigger, entity }: Change): boolean => trigger === 'renew' && !entity.hasFixedRkey;

async function claims({ entity, address, trigger }: Change, row: object): Promise<boolean> {
  const { uri, rkey } = recordStateOf(row);
  // By hand a record can be published in any account; until it is, only its key is known.
  if (trigger !== 'auto' && uri === null) return rkey === address.rkey;
  const claimed = await entity.addressOf(row);
  return claimed !== null && atUri(claimed) === atUri(address);
}

async function desire(change: Change, row: object | undefined, claimed: boolean): Promise<Desired> {
  const { entity, trigger } = change;
  if (trigger === 'unpublish' || isRenewal(change)) return { kind: 'absent' };
  if (row === undefined || !claimed) {
    return change.keepRecord
      ? { kind: 'as-is', reason: 'shouldAutoUnsync() keeps the record' }
      : { kind: 'absent' };
  }
  if (trigger === 'auto' || trigger === 'renew') {
    if (entity.isSoftDeleted(row)) {
      const unsync = await entity.shouldAutoUnsync(row, { soft: true });
      return unsync ? { kind: 'absent' } : { kind: 'as-is', reason: 'shouldAutoUnsync() keeps the record' };
    }
    if (!(await entity.shouldAutoSync(row))) {
      return entity.sync.whenNotEligible === 'unpublish'
        ? { kind: 'absent' }
        : { kind: 'as-is', reason: 'shouldAutoSync() is false' };
    }
  }
  return { kind: 'record', prepared: await entity.toRecord(row) };
}
