import type { Authority } from '../entities/synced-entity.js';
import type { Evidence } from '../model/evidence.js';
import type { KnownAddress } from '../pending/inbound.ledger.js';

/**
 * What evidence means for an address.
 * - `old`: something newer is known.
 * - `echo`: the repository has what this application knows, or has asked for.
 * - `apply`, `remove`: the row follows the record.
 * - `conflict`: the row was changed here, too.
 * - `told`: the class does not follow its records, so only listeners learn of an edit.
 */
export type Verdict = 'old' | 'echo' | 'apply' | 'remove' | 'conflict' | 'told';

export interface AddressState {
  /** Undefined for an address of which nothing is known. */
  readonly known: KnownAddress | undefined;
  /** The CID that the row of the address names; undefined without such a row. */
  readonly rowCid: string | null | undefined;
  /** CIDs that requests of ours with an unknown outcome may have written (null: deleted). */
  readonly inFlight: ReadonlySet<string | null> | undefined;
  readonly authority: Authority;
}

/**
 * Decides on one address. Revisions order what is learned; never clocks, the content, or the order of arrival.
 */
export function verdictOf(evidence: Evidence, state: AddressState): Verdict {
  const { known, authority } = state;
  if (known && isOld(evidence, known)) return 'old';
  if (isEcho(evidence, state)) return 'echo';
  // Who has deleted the record matters to nobody.
  if (evidence.cid === null && known?.isLeaving) return 'remove';
  if (authority === 'local') return evidence.cid === null ? 'remove' : 'told';
  if (known?.isDirty && authority === 'both') return 'conflict';
  return evidence.cid === null ? 'remove' : 'apply';
}

/**
 * The same revision says the same again. Only what was rejected is worth another look, unless a source merely
 * repeats itself.
 */
const isOld = ({ rev, source, cid }: Evidence, known: KnownAddress): boolean =>
  known.rev !== null &&
  (rev < known.rev || (rev === known.rev && (source === 'stream' || cid === known.cid)));

function isEcho({ cid }: Evidence, { known, rowCid, inFlight }: AddressState): boolean {
  if (inFlight?.has(cid)) return true;
  if (cid === null) return (known?.cid ?? null) === null && (rowCid ?? null) === null;
  return cid === known?.cid || cid === rowCid;
}
