import { within } from '../runtime/within.js';
import type { AtpOAuthService } from '../sessions/oauth/atp-oauth.service.js';
import type { ResolvedHttpOptions, SignInContext } from './http-options.js';

const BASE = 'http://sign-in.invalid';
/** In ms; the request has waited for its record before. */
const PATIENCE = 5_000;

/**
 * Where the user signs in: as the options say, otherwise at the account's PDS.
 *
 * @returns null without the option where there is no OAuth, or no DID
 * @throws Error when the PDS, or a function of the options, fails or does not answer in time
 */
export async function signInUrl(
  option: ResolvedHttpOptions['signInUrl'],
  oauth: AtpOAuthService | undefined,
  context: SignInContext,
): Promise<string | null> {
  const { did, returnTo } = context;
  if (typeof option === 'function') return encoded(await inTime(Promise.resolve(option(context))));
  if (option !== undefined) return encoded(option, { ...(did !== null && { did }), returnTo });
  if (!oauth || did === null) return null;
  return (await inTime(oauth.authorize(did, { returnTo }))).href;
}

/** Makes any text fit for a header; a path stays a path. */
function encoded(target: string, query: Record<string, string> = {}): string {
  const url = new URL(target, BASE);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.origin === BASE ? url.pathname + url.search + url.hash : url.href;
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  if (!(await within(PATIENCE, work))) throw new Error(`no answer in ${PATIENCE} ms`);
  return work;
}
