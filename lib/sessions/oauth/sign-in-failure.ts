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
import { isRefusedAddress } from './guarded-fetch.js';

/**
 * An error that tells a user what to do about a failed `authorize()` or `callback()` of the OAuth client.
 *
 * @param account what the user typed, or the DID, as far as it is known
 */
export function signInFailure(error: unknown, account: string, returnTo: string | null): ParityError {
  const causes = errorsIn(error);
  const cause = causes.find((each) => each instanceof ParityError);
  if (cause instanceof ParityError) return cause;
  if (!isRefusedAddress(error) && causes.some(isUnavailability)) {
    return new PdsUnavailableError(
      `The sign-in of ${account} cannot go on: the account's PDS, or what leads to it, does not answer. ` +
        'Let the user try again later.',
      { cause: error },
    );
  }
  const [reason, message] = explain(causes, account);
  return new SignInError(reason, message, { cause: error }, returnTo);
}

/** No sign-in is under way to which a callback belongs. */
export function unknownState(): SignInError {
  return new SignInError(
    'unknown-state',
    'No sign-in is under way that this callback belongs to: it was completed already, has expired, or began elsewhere. ' +
      'Let the user start again.',
  );
}

/** Another browser began the sign-in that this callback belongs to. */
export function otherBrowser(returnTo: string | null): SignInError {
  return new SignInError(
    'other-browser',
    'This sign-in began in another browser, or this one sent no cookie. Let the user start again here.',
    {},
    returnTo,
  );
}

/** Makes text of another party fit for a message: one line of moderate length. */
export function quoted(text: string): string {
  return text
    .replaceAll(/\p{Cf}/gu, '')
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .slice(0, 200);
}

/**
 * The error code of an authorization server, if it is one of the standards; any other text is not repeated.
 */
export function refusalCode(code: string | null | undefined): string {
  return code && KNOWN_CODES.has(code) ? ` (${code})` : '';
}

/** The text of the innermost error, for a log. */
export function foreignWords(error: unknown): string {
  const causes = errorsIn(error);
  const response = causes.find((each) => each instanceof OAuthResponseError);
  if (response) return quoted(`${response.status} ${response.error}: ${response.errorDescription}`);
  return quoted(causes.findLast(({ message }) => message !== '')?.message ?? 'unknown error');
}

function errorsIn(error: unknown): Error[] {
  const causes = [...causesOf(error)];
  // The client reports a session that could not be stored together with what it did about it.
  const together = causes
    .filter((each) => each instanceof AggregateError)
    .flatMap(({ errors }) => errors as unknown[]);
  return [...causes, ...together].filter((each) => each instanceof Error);
}

/** RFC 6749, 7591, 9126 and 9449, and OpenID Connect. */
const KNOWN_CODES: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_client_metadata',
  'invalid_dpop_proof',
  'invalid_grant',
  'invalid_redirect_uri',
  'invalid_scope',
  'login_required',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
]);

/**
 * Visitors read these messages, so they hold nothing of a host's answer, and do not tell whether a port is
 * open.
 */
function explain(causes: readonly Error[], account: string): [SignInFailureReason, string] {
  // The resolver's class is not exported; it is known by its name.
  if (causes.some(({ name }) => name === 'IdentityResolverError')) {
    return [
      'handle-not-found',
      `No account found for '${account}'. Check the handle; a new one takes a while to be known.`,
    ];
  }
  const response = causes.find((each) => each instanceof OAuthResponseError);
  if (response) {
    const hint = response.error?.startsWith('invalid_') ? " Compare the module's clientMetadata." : '';
    return [
      'other',
      `The authorization server refuses the sign-in of ${account}${refusalCode(response.error)}.${hint}`,
    ];
  }
  if (causes.some(isPlainHttp)) {
    return [
      'identity-unavailable',
      `The account of '${account}' cannot sign in: its PDS or its DID document is reached over plain http, which is for ` +
        'development only (oauth.allowHttp: true).',
    ];
  }
  const isIdentity = causes.some(
    (each) => each instanceof OAuthResolverError || each.constructor.name === 'DidError',
  );
  if (isIdentity || causes.some(isRefusedAddress)) {
    return [
      'identity-unavailable',
      `The account of '${account}' cannot sign in: its DID document or its host is not usable.`,
    ];
  }
  return ['other', `The sign-in of ${account} failed.`];
}

const isPlainHttp = ({ message }: Error): boolean =>
  /only allowed in development|^Forbidden protocol "http:"|"http" did:web is not allowed/.test(message);

/**
 * Whether there was no answer, or an unreadable one: a failure that is not the user's fault, and that passes.
 */
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
