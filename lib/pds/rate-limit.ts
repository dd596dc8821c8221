import type { XRPCError } from '@atproto/api';
import { RateLimitedError } from '../errors/rate-limited.error.js';

/** Limits on the writes of one account (https://docs.bsky.app/docs/advanced-guides/rate-limits); every other limit is on our address at that host. */
const ACCOUNT_POLICIES: ReadonlySet<string> = new Set(['5000;w=3600', '35000;w=86400']);

const FALLBACK_MS = 60_000;

/** `pds`: the server that was asked, for the message. */
export function rateLimited(
  error: XRPCError,
  { did, pds }: { readonly did: string; readonly pds?: string | undefined },
  now = Date.now(),
): RateLimitedError {
  const headers = error.headers ?? {};
  const retryAt = new Date(retryAfter(headers, now) ?? reset(headers) ?? now + FALLBACK_MS);
  const policy = headers['ratelimit-policy']?.replaceAll(' ', '');
  const limitOf = policy !== undefined && ACCOUNT_POLICIES.has(policy) ? 'account' : 'host';
  const whose = limitOf === 'account' ? `the writes of ${did}` : 'this server, for every account there';
  return new RateLimitedError(
    `The PDS${pds ? ` ${pds}` : ''} limits ${whose}${policy ? ` (${policy})` : ''}: try again after ${retryAt.toISOString()}.`,
    retryAt,
    limitOf,
    { did, cause: error },
  );
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3). */
function retryAfter(headers: Readonly<Record<string, string | undefined>>, now: number): number | null {
  const value = headers['retry-after']?.trim();
  if (!value) return null;
  if (/^\d+$/.test(value)) return now + Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : date;
}

/** `RateLimit-Reset` as the PDS sends it: seconds since the epoch, by the clock of the PDS. */
function reset(headers: Readonly<Record<string, string | undefined>>): number | null {
  const value = headers['ratelimit-reset']?.trim();
  return value && /^\d+$/.test(value) ? Number(value) * 1000 : null;
}
