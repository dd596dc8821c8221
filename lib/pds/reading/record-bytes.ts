import { decode } from '@atproto/lex-cbor';
import type { LexValue } from '@atproto/lex-data';
import { lexToJson } from '@atproto/lex-json';
import { RecordUnreadableError, type RecordUnreadableReason } from '../../errors/record-unreadable.error.js';
import { reasonOf } from '../../errors/reason-of.js';
import { atUri, type Address } from '../../model/address.js';
import type { RecordJson } from '../../model/evidence.js';
import { MAX_DEPTH } from '../../records/record-json.js';
import { cborProblem } from './cbor-problem.js';

/** A PDS takes records of 1 MB. */
export const MAX_RECORD_BYTES = 4_000_000;

/** The content of an address, as far as it can be read. */
export type Content = { readonly record: RecordJson } | { readonly error: RecordUnreadableError };

/**
 * The record that a block holds, in its JSON form. Never throws.
 *
 * @param bytes null for a block of more than {@link MAX_RECORD_BYTES}
 */
export function contentOf(bytes: Uint8Array | null, address: Address): Content {
  if (bytes === null) return unreadable(address, 'size', `it has more than ${MAX_RECORD_BYTES} bytes`);
  const problem = cborProblem(bytes, MAX_DEPTH);
  if (problem !== null) return unreadable(address, problem.reason, problem.detail);
  try {
    const json = lexToJson(decode<LexValue>(bytes));
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
      return { record: json as RecordJson };
    }
    return unreadable(address, 'content', 'it is no object');
  } catch (cause) {
    return unreadable(address, 'content', reasonOf(cause), cause);
  }
}

export const unreadable = (
  address: Address,
  reason: RecordUnreadableReason,
  detail: string,
  cause?: unknown,
): { readonly error: RecordUnreadableError } => ({
  error: new RecordUnreadableError(
    `The record ${shortened(atUri(address))} cannot be read: ${detail}.`,
    reason,
    {
      did: address.did,
      uri: shortened(atUri(address)),
      cause,
    },
  ),
});

/** A key of a tree may have any length. */
const shortened = (uri: string): string => (uri.length > 1_000 ? `${uri.slice(0, 200)}…` : uri);
