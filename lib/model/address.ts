import { isAtUriString } from '@atproto/syntax';

/** The place of a record: `at://did/collection/rkey`. */
export interface Address {
  readonly did: string;
  readonly collection: string;
  readonly rkey: string;
}

/** The at-uri of an address (https://atproto.com/specs/at-uri-scheme). */
export const atUri = ({ did, collection, rkey }: Address): string => `at://${did}/${collection}/${rkey}`;

/** The address that an at-uri names; null for anything else, a handle as authority included. Never throws. */
export function parseAtUri(uri: unknown): Address | null {
  if (!isAtUriString(uri) || !uri.startsWith('at://did:')) return null;
  const [did, collection, rkey, ...rest] = uri.slice('at://'.length).split('/');
  if (!did || !collection || !rkey || rest.length > 0) return null;
  return { did, collection, rkey };
}
