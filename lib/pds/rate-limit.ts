import type { XRPCError } from '@atproto/api';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { DEFAULT_WRITE_LIMITS, type WriteLimit } from '../model/options.js';

const FALLBACK_MS = 60_000;
/** The longest window of a known limit. A request that comes later is told the limit again. */
const LONGEST_MS = 86_400_000;

export interface RateLimitContext {
  readonly did: string;
  /** The server that was asked, for the message. */
  readonly pds?: string | undefined;
  /**
   * Limits on the writes of one account, beside the usual ones. Every other limit is one on this server's
   * address at that host.
   */
  readonly writeLimits?: readonly WriteLimit[] | undefined;
}

export function rateLimited(
  error: XRPCError,
  { did, pds, writeLimits = [] }: RateLimitContext,
  now = Date.now(),
): RateLimitedError {
  const headers = error.headers ?? {};
  const told = retryAfter(headers, now) ?? reset(headers, now) ?? now + FALLBACK_MS;
  const retryAt = new Date(Math.min(told, now + LONGEST_MS));
  const policy = headers['ratelimit-policy']?.replaceAll(' ', '') ?? '';
  const ofAccount = [...DEFAULT_WRITE_LIMITS, ...writeLimits].some(
    ({ points, seconds }) => policy === `${points};w=${seconds}`,
  );
  // Only a policy says that a limit is that of the whole host. If it is one without saying so, the other
  // accounts are told by their own requests.
  const limitOf = ofAccount || policy === '' ? 'account' : 'host';
  const whose = limitOf === 'account' ? `the writes of ${did}` : 'this server, for every account there';
  return new RateLimitedError(
    `The PDS${pds ? ` ${pds}` : ''} limits ${whose}${policy ? ` (${policy})` : ''}: try again after ${retryAt.toISOString()}.`,
    retryAt,
    limitOf,
    { did, cause: error },
  );
}

type Headers = Readonly<Record<string, string | undefined>>;

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3). */
function retryAfter(headers: Headers, now: number): number | null {
  const value = headers['retry-after']?.trim() ?? '';
  if (NUMBER.test(value)) return now + Number(value) * 1_000;
  const date = Date.parse(value);
  return date > now ? date : null;
}

/**
 * `RateLimit-Reset`: seconds since the epoch by the clock of the PDS, or from now (IETF draft), as their size
 * tells.
 */
function reset(headers: Headers, now: number): number | null {
  const value = headers['ratelimit-reset']?.trim() ?? '';
  if (!NUMBER.test(value)) return null;
  const at = Number(value) * 1_000;
  if (at < EPOCH_FROM) return now + at;
  return at > now ? at : null;
}

const NUMBER = /^\d+(\.\d+)?$/;
/** In ms, of 2001: no limit lasts for thirty years. */
const EPOCH_FROM = 1_000_000_000_000;
