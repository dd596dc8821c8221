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
import { reasonOf } from '../errors/reason-of.js';
import { RecordConflictError } from '../errors/record-conflict.error.js';
import { RetryLaterError } from '../errors/retry-later.error.js';
import { RowRefusedError } from '../errors/row-refused.error.js';
import { UnexpectedError } from '../errors/unexpected.error.js';
import { sessionLoss } from '../sessions/session-loss.js';
import { answerFailure } from './answer-failure.js';
import { isOfNetwork, noAnswerFailure } from './connection-failure.js';
import { failure, transient, type Failure, type FailureContext } from './failure-kinds.js';

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
  if (error instanceof XRPCError && error.headers !== undefined) return answerFailure(error, context);
  return noAnswerFailure(error, context);
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

const sessionGone = (reason: string, { did }: FailureContext, cause: unknown): OAuthSessionInvalidError =>
  new OAuthSessionInvalidError(`The session of ${did} is gone (${reason}). Let the user sign in again.`, {
    did,
    cause,
  });

type ErrorClass<T> = abstract new (...args: never[]) => T;

function findCause<T>(error: unknown, ...classes: readonly ErrorClass<T>[]): T | undefined {
  for (const cause of causesOf(error)) {
    for (const type of classes) if (cause instanceof type) return cause;
  }
  return undefined;
}
