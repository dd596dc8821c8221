import { XRPCError } from '@atproto/api';
import {
  FetchError,
  FetchResponseError,
  HandleResolverError,
  OAuthResolverError,
  OAuthResponseError,
} from '@atproto/oauth-client-node';
import { ParityError } from '../../errors/parity.error.js';
import { PdsUnavailableError } from '../../errors/pds-unavailable.error.js';
import { SignInError, type SignInFailureReason } from '../../errors/sign-in.error.js';
import { causesOf } from '../../errors/causes-of.js';

/**
 * What a user can do about a failed `authorize()` or `callback()` of the OAuth client.
 *
 * @param account what the user typed, or the DID, as far as it is known
 */
export function signInFailure(error: unknown, account: string, returnTo: string | null): ParityError {
  const causes = [...causesOf(error)].filter((each) => each instanceof Error);
  const cause = causes.find((each) => each instanceof ParityError);
  if (cause instanceof ParityError) return cause;
  if (causes.some(isUnavailability)) {
    return new PdsUnavailableError(
      `The sign-in of ${account} cannot go on: the account's PDS, or what leads to it, does not answer (${last(causes)}). ` +
        'Let the user try again later.',
      { cause: error },
    );
  }
  const [reason, message] = explain(causes, account);
  return new SignInError(reason, message, { cause: error }, returnTo);
}

/** No sign-in is under way that a callback belongs to. */
export function unknownState(): SignInError {
  return new SignInError(
    'unknown-state',
    'No sign-in is under way that this callback belongs to: it was completed already, has expired, or began elsewhere. ' +
      'Let the user start again.',
  );
}

/** Text of strangers for a message: one line of moderate length. */
export function quoted(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 200);
}

function explain(causes: readonly Error[], account: string): [SignInFailureReason, string] {
  // The resolver's class is not exported; its name is its own.
  if (causes.some(({ name }) => name === 'IdentityResolverError')) {
    return [
      'handle-not-found',
      `No account found for '${account}': ${last(causes)}. Check the handle; a new one takes a while to be known.`,
    ];
  }
  const response = causes.find((each) => each instanceof OAuthResponseError);
  if (response) {
    const words = quoted(response.errorDescription ?? response.error ?? 'no reason given');
    const hint = response.error?.startsWith('invalid_') ? " Compare the module's clientMetadata." : '';
    return ['other', `The authorization server refuses the sign-in of ${account}: ${words}.${hint}`];
  }
  if (causes.some((each) => each instanceof OAuthResolverError || each.constructor.name === 'DidError')) {
    return [
      'identity-unavailable',
      `The account of '${account}' cannot sign in: its DID document or its host is not usable (${last(causes)}).`,
    ];
  }
  return ['other', `The sign-in of ${account} failed: ${last(causes)}.`];
}

/** No answer, or one that nobody can read: not the user's doing, and not for ever. */
function isUnavailability(error: Error): boolean {
  if (error instanceof FetchResponseError) {
    const { status } = error.response;
    return status >= 500 || status === 429 || status < 400;
  }
  if (error instanceof OAuthResponseError) return error.status >= 500 || error.status === 429;
  if (error instanceof FetchError) return true;
  if (error.name === 'TimeoutError' || error.name === 'AbortError' || error.name === 'SyntaxError')
    return true;
  if (error instanceof XRPCError || error instanceof HandleResolverError) return true;
  return error instanceof TypeError && error.message === 'fetch failed';
}

/** The innermost message that says something. */
function last(causes: readonly Error[]): string {
  const told = causes.findLast(({ message }) => message !== '');
  return quoted(told?.message ?? 'unknown error').replace(/\.$/, '');
}
