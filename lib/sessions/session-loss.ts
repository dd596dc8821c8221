import { XRPCError } from '@atproto/api';
import { TokenInvalidError, TokenRefreshError, TokenRevokedError } from '@atproto/oauth-client-node';
import { causesOf } from '../errors/causes-of.js';
import { OAuthSessionInvalidError } from '../errors/oauth-session-invalid.error.js';

/** Answers of a PDS to a token that it will never accept again. */
const LOST_BY_ANSWER: ReadonlySet<string> = new Set([
  'invalid_token', // OAuth: the client has tried to refresh by now
  'InvalidToken', // password: malformed, or signed with a key that the PDS no longer has
  'AuthMissing', // password: the agent dropped its session, and sent no token
  'MissingJwt',
]);

/**
 * Why the session behind `error` is gone for good, from anywhere in its chain of causes; null when the
 * session may still live, as in an outage. For any reason given here the user has to sign in again.
 */
export function sessionLoss(error: unknown): string | null {
  for (const cause of causesOf(error)) {
    const reason = lossOf(cause);
    if (reason !== null) return reason;
  }
  return null;
}

function lossOf(error: unknown): string | null {
  if (error instanceof XRPCError) return lossByAnswer(error);
  if (!(error instanceof Error)) return null;
  // A guess of the client; in most cases this application has deleted the session.
  if (error instanceof TokenRefreshError && error.message === 'The session was deleted by another process')
    return 'it was revoked, or its user has signed out';
  if (
    error instanceof OAuthSessionInvalidError ||
    error instanceof TokenRefreshError ||
    error instanceof TokenRevokedError ||
    error instanceof TokenInvalidError
  ) {
    return oneLine(error.message);
  }
  // Not exported by the client: the signing key that the session was made with has left the keyset.
  if (error.constructor.name === 'AuthMethodUnsatisfiableError') {
    return 'the key that this session signs with is no longer in the keyset';
  }
  // The client deletes a session whose account has moved to another PDS as soon as it needs a refresh.
  if (error instanceof TypeError && error.message === 'Issuer mismatch') {
    return 'the account has moved to another PDS';
  }
  // The client revokes a refreshed session that its store could not take.
  if (error instanceof AggregateError && error.message.startsWith('Failed to store session')) {
    return 'the refreshed session could not be stored, so it was revoked';
  }
  return null;
}

function lossByAnswer({ error, headers, message, status }: XRPCError): string | null {
  // Without headers there was no answer: the client made up the status.
  if (headers === undefined || (status !== 400 && status !== 401)) return null;
  if (LOST_BY_ANSWER.has(error)) return 'the PDS no longer accepts its token';
  if (error === 'ExpiredToken' && message === 'Token has been revoked') return 'its token was revoked';
  return null;
}

/** The text comes from an authorization server. */
const oneLine = (text: string): string => text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 200);
