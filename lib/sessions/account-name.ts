import { isAtprotoDid } from '@atproto/oauth-client-node';
import { isValidHandle } from '@atproto/syntax';

/**
 * No address of a profile is longer. The regular expressions below take time that grows with the square of
 * the length.
 */
const LONGEST = 2_000;

/**
 * The handle or DID in what a person typed or pasted: with `@` or `at://` in front, dots or slashes behind,
 * invisible characters inside (phones add them to what is copied), or as the address of a profile page.
 * Handles and DIDs of accounts are lower case; only the `%3A` of a DID is not.
 *
 * @returns null for any other text; other web addresses are refused, since a visitor must not choose which
 *   host is asked
 */
export function accountNameOf(typed: string): string | null {
  if (typed.length > LONGEST) return null;
  const text = typed
    .normalize('NFKC')
    .replaceAll(/\p{Cf}/gu, '')
    .trim();
  const [, profile] = /^(?:https?:\/\/)?[^/\s]+\/profile\/([^/?#]+)/i.exec(text) ?? [];
  const [, authority] = /^at:\/\/([^/?#]+)/i.exec(text) ?? [];
  const name = (profile ?? authority ?? text)
    .replace(/^@/, '')
    .replace(/[./]+$/, '')
    .toLowerCase();
  if (isValidHandle(name)) return name;
  // Some addresses encode the whole DID with percent signs.
  const did = name
    .replace(/^did%3a(?:plc|web)%3a/, (prefix) => prefix.replaceAll('%3a', ':'))
    .replaceAll('%3a', '%3A');
  return isAtprotoDid(did) ? did : null;
}
