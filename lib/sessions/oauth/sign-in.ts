export interface AuthorizeOptions {
  /** Where `callback()` is to send the user, a path of this application; kept on the server, never sent to the PDS. */
  readonly returnTo?: string;
  /**
   * The binding that this browser has already, from its cookie; undefined if it has none. Sign-ins that one browser begins
   * in several tabs share it. Giving it, undefined too, makes `callback()` demand it.
   */
  readonly binding?: string | undefined;
}

/**
 * Where to send the browser. Keep `binding` in a cookie of that browser, and give it to `callback()`: otherwise an
 * attacker could send your visitor a link that signs them in as the attacker.
 */
export type SignInUrl = URL & { readonly binding: string };

export interface CallbackOptions {
  /** What the browser's cookie holds; undefined where there is none, which is refused. */
  readonly binding: string | undefined;
}

export interface SignInResult {
  readonly did: string;
  readonly returnTo: string | null;
  /** What the client metadata asks for and the user or the PDS did not grant. */
  readonly missingScopes: readonly string[];
}
