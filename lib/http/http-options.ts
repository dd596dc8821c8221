import type { AuthenticationError } from '../errors/authentication.error.js';
import { checkNames, oneOf, wrong } from '../model/option-checks.js';

/** The account and the page of a user who has to sign in. */
export interface SignInContext {
  /**
   * The account that has to sign in: the owner of the record, who may be another user than the one of the
   * request.
   */
  readonly did: string | null;
  /** The page that the user came from: a path of this application, safe to redirect to. */
  readonly returnTo: string;
  readonly error: AuthenticationError;
}

export interface ParityHttpOptions {
  /**
   * The answer to a request whose account has to sign in again: 'json' is 401 with the URL in the body,
   * 'redirect' is 303 to it, 'auto' (default) is the redirect for clients that prefer HTML, and JSON for all
   * others.
   */
  readonly respond?: 'auto' | 'json' | 'redirect';
  /**
   * Where a sign-in begins.
   *
   * - A path or URL such as '/login' gets `did` and `returnTo` added to its query; the result of a function
   *   is taken as it is.
   * - Default: the URL of `AtpOAuthService.authorize(did, { returnTo })`, which leads straight to the
   *   account's PDS.
   * - An application that binds sign-ins to browsers, as it should, names its own page, which sets the
   *   cookie.
   */
  readonly signInUrl?: string | ((context: SignInContext) => string | Promise<string>);
}

export interface ResolvedHttpOptions {
  readonly respond: 'auto' | 'json' | 'redirect';
  readonly signInUrl: NonNullable<ParityHttpOptions['signInUrl']> | undefined;
}

/** Holds `ResolvedHttpOptions`. */
export const PARITY_HTTP_OPTIONS = Symbol('parity:http-options');

/** @throws ParityOptionsError that names the option, what it got and what it takes */
export function resolveHttpOptions(options: ParityHttpOptions = {}): ResolvedHttpOptions {
  checkNames<ParityHttpOptions>('http', options, { respond: true, signInUrl: true });
  const { respond = 'auto', signInUrl } = options;
  if (signInUrl !== undefined && typeof signInUrl !== 'function' && !isPathOrUrl(signInUrl))
    throw wrong('http.signInUrl', signInUrl, "a path such as '/login', an http(s) URL, or a function");
  return { respond: oneOf('http.respond', respond, ['auto', 'json', 'redirect']), signInUrl };
}

function isPathOrUrl(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (value.startsWith('/')) return !/^\/[/\\]/.test(value);
  return URL.canParse(value) && ['http:', 'https:'].includes(new URL(value).protocol);
}
