import { XRPCError } from '@atproto/api';
import { FetchResponseError, OAuthResolverError, OAuthResponseError } from '@atproto/oauth-client-node';
import { TypeORMError } from 'typeorm';
import { isDatabaseError } from '../database/database-failure.js';
import { AuthenticationError } from '../errors/authentication.error.js';
import { causesOf } from '../errors/causes-of.js';
import { DatabaseError } from '../errors/database.error.js';
import { InvalidRecordError } from '../errors/invalid-record.error.js';
import { MapperError } from '../errors/mapper.error.js';
import { MissingScopeError } from '../errors/missing-scope.error.js';
import { OAuthSessionInvalidError } from '../errors/oauth-session-invalid.error.js';
import { ParityError } from '../errors/parity.error.js';
import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import { RowRefusedError } from '../errors/row-refused.error.js';
import { RetryLaterError } from '../errors/retry-later.error.js';
import { UnexpectedError } from '../errors/unexpected.error.js';
import { RecordConflictError } from '../errors/record-conflict.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { sessionLoss } from '../sessions/session-loss.js';
import { rateLimited, type RateLimitContext } from './rate-limit.js';
import { MethodMissingError } from './method-missing.error.js';
import { invalidRecord } from './pds-refusal.js';
import {
  accountState,
  isAnswerOfPds,
  isInvalidSwap,
  isMethodMissing,
  isRateLimit,
  isRecordRefused,
  isScopeMissing,
  isXrpcAnswer,
  namedScope,
  said,
} from './words.js';

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

/** Errors from before there was a connection: no request can have been sent. */
const NEVER_CONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** There was a connection, and it ended without an answer. */
const BROKEN: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

export const isConnectionBroken = (error: unknown): boolean =>
  [...causesOf(error)].some((cause) => BROKEN.has((cause as { readonly code?: unknown }).code));

/**
 * Whether an error is one that {@link classifyFailure} knows: of this package, of a client, or of a
 * connection.
 */
export const isOfRequest = (error: unknown): boolean =>
  findCause(
    error,
    ParityError,
    TypeORMError,
    XRPCError,
    OAuthResolverError,
    OAuthResponseError,
    FetchResponseError,
  ) !== undefined ||
  sessionLoss(error) !== null ||
  [...causesOf(error)].some(isOfNetwork);

function isOfNetwork(error: unknown): boolean {
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown };
  if (name === 'TimeoutError' || name === 'AbortError') return true;
  return typeof code === 'string' && /^(E[A-Z]+|EAI_AGAIN|UND_ERR_\w+)$/.test(code);
}

/** Tells what kind of failure an error of a session provider, an agent or this package is. Never throws. */
export function classifyFailure(error: unknown, context: FailureContext): Failure {
  const known = findCause(error, ParityError);
  if (known) return classified(known);
  // A client asks its store of sessions, which may be in the database, before it sends anything.
  if (findCause(error, TypeORMError)) return classifyLocalFailure(error, context);
  const loss = sessionLoss(error);
  if (loss !== null) return failure('auth', 'not-applied', sessionGone(loss, context, error), true);
  if (findCause(error, OAuthResolverError, OAuthResponseError, FetchResponseError)) {
    return transient(
      'not-applied',
      'its session cannot be refreshed now (the authorization server, or what resolves it, does not do its part)',
      context,
      error,
    );
  }
  if (error instanceof XRPCError && error.headers !== undefined) return answer(error, context);
  return noAnswer(error, context);
}

function classified(error: ParityError): Failure {
  if (error instanceof MissingScopeError) return failure('scope', 'not-applied', error);
  if (error instanceof AuthenticationError) {
    return failure('auth', 'not-applied', error, error instanceof OAuthSessionInvalidError);
  }
  if (error instanceof RecordConflictError) return failure('conflict', 'not-applied', error);
  if (error instanceof RetryLaterError || isForLater(error)) return failure('later', 'not-applied', error);
  if (
    error instanceof InvalidRecordError ||
    error instanceof MapperError ||
    error instanceof RowRefusedError
  ) {
    return failure('permanent', 'not-applied', error);
  }
  return failure('transient', error instanceof PdsUnavailableError ? 'unknown' : 'not-applied', error);
}

/** Whether the application's code says that a service which it asked was away. */
const isForLater = (error: ParityError): boolean =>
  error instanceof MapperError &&
  (findCause(error, RetryLaterError) !== undefined || isDatabaseError(error.cause));

/** Classifies an error in which no PDS and no authorization server had a part. Never throws. */
export function classifyLocalFailure(error: unknown, { did }: FailureContext): Failure {
  const known = findCause(error, ParityError);
  if (known) return classified(known);
  const reason = reasonOf(error);
  const told = isDatabaseError(error)
    ? new DatabaseError(`The database failed while ${did} was synced: ${reason}`, { did, cause: error })
    : new UnexpectedError(`Syncing ${did} failed unexpectedly: ${reason}`, { did, cause: error });
  return failure('transient', 'not-applied', told);
}

function answer(error: XRPCError, context: FailureContext): Failure {
  const { did, pds, method = 'what was called' } = context;
  const status = Number(error.status);
  if (isRateLimit(error)) return failure('transient', 'not-applied', rateLimited(error, context));
  if (status === 413) return failure('permanent', 'not-applied', invalidRecord(error, { did }));
  if (isMethodMissing(error)) {
    const missing = new MethodMissingError(method, said(error), { did, pds, cause: error });
    return failure('transient', 'not-applied', missing);
  }
  if (isScopeMissing(error)) {
    const scope = namedScope(error) ?? context.scope ?? 'atproto';
    return failure('scope', 'not-applied', new MissingScopeError(scope, undefined, { did, cause: error }));
  }
  if (!isXrpcAnswer(error)) {
    const fail = isAnswerOfPds(error) ? transient : outage;
    return fail('unknown', notXrpc(error, context), context, error);
  }
  if (status >= 500) {
    // A 500 of the PDS may come from what one record contains.
    const fail = status === 500 ? transient : outage;
    return fail('unknown', answered(error, context), context, error);
  }
  const account = accountState(error);
  if (account) {
    return failure(
      'auth',
      'not-applied',
      new AuthenticationError(`The account ${did} ${account}.`, { did, cause: error }),
    );
  }
  if (error.error === 'ExpiredToken' || /^(use_dpop_nonce|invalid_dpop_proof)$/.test(error.error)) {
    const reason = `the token is not accepted now, and was not refreshed (${error.error})`;
    return transient('not-applied', reason, context, error);
  }
  if (status === 401 || status === 403) {
    const message = `The PDS${nameOf(context)} does not let this session write for ${did} (${said(error)}). Check that the session belongs to this account.`;
    return failure('auth', 'not-applied', new AuthenticationError(message, { did, cause: error }));
  }
  if (isInvalidSwap(error)) {
    return transient('not-applied', 'another client keeps writing to this repository', context, error);
  }
  if (isRecordRefused(error)) return failure('permanent', 'not-applied', invalidRecord(error, { did }));
  return transient('unknown', answered(error, context), context, error);
}

function noAnswer(error: unknown, context: FailureContext): Failure {
  if (error instanceof XRPCError && Number(error.status) === 2) {
    return outage('unknown', notXrpc(error, context), context, error);
  }
  for (const cause of causesOf(error)) {
    const { name, code } = cause as { readonly name?: unknown; readonly code?: unknown };
    if (NEVER_CONNECTED.has(code)) {
      return outage('not-applied', `it cannot be reached (${String(code)})`, context, error);
    }
    if (name === 'TimeoutError') return outage('unknown', 'it did not answer in time', context, error);
    if (name === 'AbortError') {
      return transient('unknown', 'it had not answered when the caller stopped waiting', context, error);
    }
    if (typeof code === 'string' && /^(E[A-Z]+|UND_ERR_\w+)$/.test(code)) {
      return outage('unknown', `the connection broke (${code})`, context, error);
    }
  }
  return outage('unknown', 'the request failed without an answer', context, error);
}

const answered = (error: XRPCError, { method }: FailureContext): string =>
  `it answered ${method ? `${method} ` : ''}with ${said(error)}`;

const notXrpc = ({ headers, status }: XRPCError, { method }: FailureContext): string =>
  `it answered ${method ? `${method} ` : ''}with something that is no XRPC response (${headers === undefined ? 'HTTP 200' : `HTTP ${String(status)}, ${headers['content-type'] ?? 'no content type'}`}); ` +
  'check its address, and what stands in between';

function transient(
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
const outage = (...args: [Failure['outcome'], string, FailureContext, unknown]): Failure =>
  transient(...args, true);

const sessionGone = (reason: string, { did }: FailureContext, cause: unknown): OAuthSessionInvalidError =>
  new OAuthSessionInvalidError(`The session of ${did} is gone (${reason}). Let the user sign in again.`, {
    did,
    cause,
  });

const nameOf = ({ pds }: FailureContext): string => (pds ? ` ${pds}` : '');

const failure = (
  kind: FailureKind,
  outcome: Failure['outcome'],
  error: ParityError,
  sessionLost = false,
): Failure => ({ kind, outcome, error, sessionLost });

type ErrorClass<T> = abstract new (...args: never[]) => T;

function findCause<T>(error: unknown, ...classes: readonly ErrorClass<T>[]): T | undefined {
  for (const cause of causesOf(error)) {
    for (const type of classes) if (cause instanceof type) return cause;
  }
  return undefined;
}
