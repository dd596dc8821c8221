import { XRPCError } from '@atproto/api';
import { TokenInvalidError, TokenRefreshError, TokenRevokedError } from '@atproto/oauth-client-node';
import { causesOf } from '../errors/causes-of.js';
import { OAuthSessionInvalidError } from '../errors/oauth-session-invalid.error.js';

/** What a PDS answers to a token that will never be accepted again. */
const LOST_BY_ANSWER: ReadonlySet<string> = new Set([
  'invalid_token', // OAuth: the client has tried to refresh by now
  'InvalidToken', // password: malformed, or signed with a key that the PDS no longer has
  'AuthMissing', // password: the agent dropped its session, and sent no token
  'MissingJwt',
]);

/**
 * Why the session behind `error` is gone for good, from anywhere in its chain of causes; null when the session
 * may still live, as in an outage. The account has to sign in again for any reason given here.
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
  // The client's guess; in most cases it was this application that deleted it.
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
  // Without headers nobody answered: the status was made up by the client.
  if (headers === undefined || (status !== 400 && status !== 401)) return null;
  if (LOST_BY_ANSWER.has(error)) return 'the PDS no longer accepts its token';
  if (error === 'ExpiredToken' && message === 'Token has been revoked') return 'its token was revoked';
  return null;
}

/** The words are an authorization server's. */
const oneLine = (text: string): string => text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 200);
