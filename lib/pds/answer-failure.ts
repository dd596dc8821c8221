import type { XRPCError } from '@atproto/api';
import { AccountInactiveError } from '../errors/account-inactive.error.js';
import { AuthenticationError } from '../errors/authentication.error.js';
import { MissingScopeError } from '../errors/missing-scope.error.js';
import { failure, nameOf, outage, transient, type Failure, type FailureContext } from './failure-kinds.js';
import { MethodMissingError } from './method-missing.error.js';
import { invalidRecord } from './pds-refusal.js';
import { rateLimited } from './rate-limit.js';
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
} from './pds-answers.js';

/** Classifies an answer that is an error. */
export function answerFailure(error: XRPCError, context: FailureContext): Failure {
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
      new AccountInactiveError(`The account ${did} ${account}.`, { did, cause: error }),
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

const answered = (error: XRPCError, { method }: FailureContext): string =>
  `it answered ${method ? `${method} ` : ''}with ${said(error)}`;

/** The reason where an answer is no XRPC response. */
export const notXrpc = ({ headers, status }: XRPCError, { method }: FailureContext): string =>
  `it answered ${method ? `${method} ` : ''}with something that is no XRPC response (${headers === undefined ? 'HTTP 200' : `HTTP ${String(status)}, ${headers['content-type'] ?? 'no content type'}`}); ` +
  'check its address, and what stands in between';
