import { safeFetchWrap } from '@atproto-labs/fetch-node';
import { causesOf } from '../../errors/causes-of.js';

/** In ms, which a refresh may take. Giving up sooner ends a session whose new token is under way. */
const TIMEOUT = 30_000;

const GUARD = { allowCustomPort: true, allowIpHost: false, allowImplicitRedirect: true };

/**
 * A `fetch` for addresses that a visitor can name: a DID document, the PDS that it names, the endpoints of
 * the authorization server that the PDS names.
 *
 * - It reaches public hosts only, by name, over HTTPS. A redirect or a name that leads to a private address
 *   ends the request before a connection is made.
 * - Documents are limited in time and size. Calls with a token are not: a repository may be large, and the
 *   caller has a time limit of its own.
 */
export function guardedFetch(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  const fetchDocument = safeFetchWrap({ ...GUARD, fetch, timeout: TIMEOUT });
  const call = guardedDownload(fetch);
  return async (input, init) => {
    const request = new Request(input, init);
    return request.headers.has('authorization') ? call(request) : fetchDocument(request);
  };
}

/** The same guard without limits of time and size, for a caller that has its own. */
export const guardedDownload = (fetch: typeof globalThis.fetch): typeof globalThis.fetch =>
  safeFetchWrap({ ...GUARD, fetch, timeout: Infinity, responseMaxSize: Infinity });

/** Whether the guard has refused the address; otherwise the host did not answer. */
export function isRefusedAddress(error: unknown): boolean {
  const causes = [...causesOf(error)] as { readonly message?: unknown; readonly code?: unknown }[];
  // Node's errors have a code such as ENOTFOUND, and the library reports them as 'Invalid hostname', too.
  if (causes.some(({ code }) => typeof code === 'string' && /^[A-Z]/.test(code))) return false;
  return causes.some(({ message }) =>
    /^(?:Hostname |Blocked by url policy|Forbidden |Invalid hostname$)/.test(String(message)),
  );
}
