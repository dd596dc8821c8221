import { recordStateOf } from '../metadata/record-state.js';
import { atUri, parseAtUri } from '../model/address.js';
import { prepareRecord, type PreparedRecord } from '../records/record-json.js';
import { GIVEN_UP, type Change } from './change.js';
import { ELIGIBLE, eligibilityOf } from './eligibility.js';

/** What should be at an address. */
export type Desired =
  | { readonly kind: 'record'; readonly prepared: PreparedRecord }
  /** `reason` is set if the entity is not eligible. */
  | { readonly kind: 'absent'; readonly reason?: string }
  /** Nothing has to be done, whatever is there. */
  | { readonly kind: 'as-is'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: Error };

/** A changed address, the entity that may claim it, and what follows from that. */
export interface Target {
  readonly change: Change;
  readonly uri: string;
  /** The row as committed; undefined once it is gone. */
  readonly row: object | undefined;
  /** Whether the row's record belongs at this address. It may have moved to another. */
  readonly claimed: boolean;
  /** The CID that we wrote there last; null if we know of none. */
  readonly known: string | null;
  readonly desired: Desired;
  /** The change for the address that the entity has by now; see {@link movedOn}. */
  readonly elsewhere?: Change | undefined;
  /** Empties the address that the record leaves; see {@link leftBehind}. */
  readonly left?: Change | undefined;
  /** The record key of this address is spent, so settling gives the entity another address. */
  readonly spent?: boolean;
}

/** The same target once it is known that the record is gone, and that its key is spent. */
export const asGone = (target: Target): Target => ({ ...target, desired: { kind: 'absent' }, spent: true });

/**
 * Determines which entity claims an address now, and what should be there.
 *
 * @param written the CID that this run has already written there, although no row names it
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
    const { claimed, desired } = await claimOf(change, row);
    // No row remembers the record: its row is gone, or this row has only just taken over the address.
    if (!claimed || state?.uri === null) known ??= change.cid;
    const elsewhere = claimed ? undefined : await movedOn(change, row);
    const left = claimed && desired.kind === 'record' ? leftBehind(change, row) : undefined;
    const spent = claimed && isRenewal(change);
    return { change, uri, row, claimed, known, desired, elsewhere, left, spent };
  } catch (error) {
    return { change, uri, row, claimed: true, known, desired: { kind: 'failed', error: error as Error } };
  }
}

/**
 * The change that empties the address which a record leaves. When this change was made, the entity had no
 * record: its first one was just written to the account of an earlier owner, and no other change leads there.
 */
function leftBehind(change: Change, row: object | undefined): Change | undefined {
  const { uri, cid } = row ? recordStateOf(row) : { uri: null, cid: null };
  const address = parseAtUri(uri);
  if (!address || uri === atUri(change.address) || change.operation !== 'publish') return undefined;
  return { ...change, ...GIVEN_UP, trigger: 'auto', address, cid, keepRecord: false, snapshot: undefined };
}

/**
 * The change for the address that the entity has by now. Its key was renewed while the change waited, its
 * mapper has another collection, or its record was written to the account of an earlier owner, where it
 * stays. No other change leads to that address.
 */
export async function movedOn(change: Change, row: object | undefined): Promise<Change | undefined> {
  const { entity, trigger } = change;
  if (row === undefined || trigger === 'unpublish' || change.givenUp) return undefined;
  const { uri, rkey } = recordStateOf(row);
  if (rkey === null) return undefined;
  // By hand, a record can be published in any account.
  const next = trigger === 'renew' ? 'auto' : trigger;
  const isByHand = next !== 'auto' && uri === null;
  const { did, collection } = change.address;
  const address = isByHand
    ? { did, collection: entity.mapper?.collection ?? collection, rkey }
    : await entity.addressOf(row);
  if (address === null || atUri(address) === atUri(change.address)) return undefined;
  const operation = uri === null ? 'publish' : 'republish';
  return { ...change, trigger: next, address, operation, cid: null, snapshot: undefined };
}

/** A fixed record key is not renewed: what is due under it is decided at once. */
const isRenewal = ({ trigger, entity }: Change): boolean => trigger === 'renew' && !entity.hasFixedRkey;

interface Claim {
  /** Whether the row's record belongs at the address. */
  readonly claimed: boolean;
  readonly desired: Desired;
}

async function claimOf(change: Change, row: object | undefined): Promise<Claim> {
  const { entity, trigger } = change;
  const isUnwanted = trigger === 'unpublish' || isRenewal(change);
  const givenUp: Desired = change.keepRecord
    ? { kind: 'as-is', reason: 'shouldAutoUnsync() keeps the record' }
    : { kind: 'absent' };
  if (row === undefined) return { claimed: false, desired: isUnwanted ? { kind: 'absent' } : givenUp };
  if (isUnwanted) return { claimed: await claims(change, row), desired: { kind: 'absent' } };
  const isByHand = trigger === 'publish' || trigger === 'republish';
  const eligibility = isByHand ? ELIGIBLE : await eligibilityOf(entity, row);
  if (eligibility.kind === 'record') {
    const claimed = await claims(change, row);
    return {
      claimed,
      desired: claimed ? { kind: 'record', prepared: await preparedOf(change, row) } : givenUp,
    };
  }
  // An entity that is not eligible may fail to tell its account. Its record key is then enough.
  const claimed = await claims(change, row).catch(() => holds(change, row));
  const isHere = recordStateOf(row).uri === atUri(change.address);
  // A record that belonged to another row, which is gone, is not kept on behalf of this row.
  if (eligibility.kind === 'leave' && (isHere || (claimed && !change.givenUp)))
    return { claimed, desired: { kind: 'as-is', reason: eligibility.reason } };
  return { claimed, desired: claimed && !change.givenUp ? absent(eligibility.reason) : givenUp };
}

/**
 * The record of a row, with the fields of other applications. A row that the mapper cannot turn back into the
 * record that it followed is as it should be until it changes.
 */
async function preparedOf({ entity, remembered }: Change, row: object): Promise<PreparedRecord> {
  const ours = await entity.toRecord(row);
  if (!remembered) return ours;
  const { foreign, mapped } = remembered;
  const prepared = foreign ? prepareRecord({ ...foreign, ...ours.record }, collectionOf(ours)) : ours;
  const { cid } = recordStateOf(row);
  return mapped !== null && prepared.cid === mapped && cid !== null ? { ...prepared, cid } : prepared;
}

const collectionOf = ({ record }: PreparedRecord): string => String(record['$type']);

const absent = (reason: string): Desired => ({ kind: 'absent', reason });

async function claims(change: Change, row: object): Promise<boolean> {
  const { entity, address, trigger } = change;
  const { uri } = recordStateOf(row);
  // By hand, a record can be published in any account. Until it is published, only its key and its collection
  // are known.
  if (trigger !== 'auto' && uri === null) return holds(change, row);
  const claimed = await entity.addressOf(row);
  return claimed !== null && atUri(claimed) === atUri(address);
}

const holds = ({ address, entity }: Change, row: object): boolean => {
  const { uri, rkey } = recordStateOf(row);
  if (uri !== null) return uri === atUri(address);
  return rkey === address.rkey && address.collection === (entity.mapper?.collection ?? address.collection);
};
