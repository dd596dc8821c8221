import type { ParityError } from '../errors/parity.error.js';
import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import type { RateLimitContext } from './rate-limit.js';

/**
 * - `transient`: the same request may work later (network, 5xx, a rate limit), and so may all others of the
 *   account.
 * - `later`: this one entity cannot be synced now (its row is locked, a service of its mapper is away);
 *   others can.
 * - `auth`: the account cannot write until its user signs in, or activates it again.
 * - `scope`: the session lives, but does not allow this.
 * - `conflict`: another client's record is in the way.
 * - `permanent`: the record is wrong; the same record will fail again.
 */
export type FailureKind = 'transient' | 'later' | 'auth' | 'scope' | 'conflict' | 'permanent';

export interface Failure {
  readonly kind: FailureKind;
  /** Whether the request may have been carried out, now or later. */
  readonly outcome: 'not-applied' | 'unknown';
  readonly error: ParityError;
  /** The account has no session any more; its user has to sign in again. */
  readonly sessionLost: boolean;
}

export interface FailureContext extends RateLimitContext {
  /** NSID of the method that was called, for the message. */
  readonly method?: string | undefined;
  /** The scope that the call needs, for a PDS that does not name it. */
  readonly scope?: string | undefined;
}

export const failure = (
  kind: FailureKind,
  outcome: Failure['outcome'],
  error: ParityError,
  sessionLost = false,
): Failure => ({ kind, outcome, error, sessionLost });

export function transient(
  outcome: Failure['outcome'],
  reason: string,
  context: FailureContext,
  cause: unknown,
  outage = false,
): Failure {
  const { did } = context;
  const message = `The PDS${nameOf(context)} cannot be used for ${did} now: ${reason}.`;
  return failure('transient', outcome, new PdsUnavailableError(message, { did, cause, outage }));
}

/** The server itself fails, for any account. */
export const outage = (...args: [Failure['outcome'], string, FailureContext, unknown]): Failure =>
  transient(...args, true);

/** The PDS in the middle of a message. */
export const nameOf = ({ pds }: FailureContext): string => (pds ? ` ${pds}` : '');
