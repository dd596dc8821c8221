import type { XRPCError } from '@atproto/api';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { DEFAULT_WRITE_LIMITS, type WriteLimit } from '../model/options.js';

const FALLBACK_MS = 60_000;

export interface RateLimitContext {
  readonly did: string;
  /** The server that was asked, for the message. */
  readonly pds?: string | undefined;
  /** Limits on the writes of one account, beside the usual ones: every other limit is one on our address at that host. */
  readonly writeLimits?: readonly WriteLimit[] | undefined;
}

export function rateLimited(
  error: XRPCError,
  { did, pds, writeLimits = [] }: RateLimitContext,
  now = Date.now(),
): RateLimitedError {
  const headers = error.headers ?? {};
  const retryAt = new Date(retryAfter(headers, now) ?? reset(headers) ?? now + FALLBACK_MS);
  const policy = headers['ratelimit-policy']?.replaceAll(' ', '');
  const ofAccount = [...DEFAULT_WRITE_LIMITS, ...writeLimits].some(
    ({ points, seconds }) => policy === `${points};w=${seconds}`,
  );
  const limitOf = ofAccount ? 'account' : 'host';
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
