export interface AuthorizeOptions {
  /**
   * A path of this application to which `callback()` is to send the user. It is kept on the server, and never
   * sent to the PDS.
   */
  readonly returnTo?: string;
  /**
   * The binding in this browser's cookie; undefined if it has none. Sign-ins that one browser begins in
   * several tabs share it. Once it is given, even as undefined, `callback()` demands it.
   */
  readonly binding?: string | undefined;
}

/**
 * Where to send the browser. Keep `binding` in a cookie of that browser, and give it to `callback()`:
 * otherwise an attacker could send your visitor a link that signs them in as the attacker.
 */
export type SignInUrl = URL & { readonly binding: string };

export interface CallbackOptions {
  /** The value of the browser's cookie; undefined where there is none, which is refused. */
  readonly binding: string | undefined;
}

export interface SignInResult {
  readonly did: string;
  readonly returnTo: string | null;
  /** Scopes that the client metadata asks for and the user or the PDS did not grant. */
  readonly missingScopes: readonly string[];
}
