import type {
  HandleResolver,
  Jwk,
  Key,
  NodeSavedSessionStore,
  NodeSavedState,
  NodeSavedStateStore,
  OAuthClientMetadataInput,
  RuntimeLock,
} from '@atproto/oauth-client-node';
import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { checkNames, type OptionNames } from '../../model/option-checks.js';
import { ENCRYPTION_NAMES, type EncryptionOptions } from './encryption/cipher.js';

/**
 * Keeps sign-ins under way, by a random key. Entries that were not deleted are to end after about an hour.
 */
export type OAuthStateStore = NodeSavedStateStore & {
  /**
   * Gives the entry and removes it in one step: of several callers that ask for it at once, in whatever
   * process, one gets it. A store without it is read and then deleted under `requestLock`.
   */
  take?(key: string): Promise<NodeSavedState | undefined>;
  /** Whether the entries end with the process (a warning in production). */
  readonly volatile?: boolean;
};

/**
 * Keeps sessions, by DID. Entries are JSON and hold private keys and tokens: encrypt them at rest.
 *
 * - `get` answers `undefined` only where there is no session, and throws where it cannot tell; otherwise the
 *   account would count as signed out.
 * - `set` resolves once the session will be found again. When it throws, the client revokes the session on
 *   the server, since its refresh token is used up.
 */
export type OAuthSessionStore = NodeSavedSessionStore & {
  /** Whether the sessions end with the process (a warning in production). */
  readonly volatile?: boolean;
};

/** The stores of sessions and the lock that belong together. */
export interface OAuthStores {
  readonly stateStore?: OAuthStateStore;
  readonly sessionStore?: OAuthSessionStore;
  readonly requestLock?: RuntimeLock;
  /** Called at start-up; throws if the stores cannot work. */
  ensureTables?(): Promise<void>;
  /** Called at shutdown, after the last use. */
  close?(): Promise<void>;
}

/** Sessions in the application's own database: encrypted, with a lock for several processes. */
export interface DatabaseOAuthStorage extends EncryptionOptions {
  readonly kind: 'database';
  /** Name of the DataSource. Default: the one without a name. */
  readonly dataSource?: string;
  /** Connections of their own that sessions take (on SQLite they share the application's). Default: 2. */
  readonly poolSize?: number;
}

/** The application as an OAuth client of the AT Protocol (https://atproto.com/specs/oauth). */
export interface OAuthOptions extends OAuthStores {
  /**
   * The client metadata document. For development: `buildAtprotoLoopbackClientMetadata()` of
   * `@atproto/oauth-client-node`.
   *
   * - Its `scope` (separated by spaces) must contain `atproto`, and a `repo:` scope for each collection that
   *   is written.
   * - `callback()` is reached at the first of its `redirect_uris`.
   */
  readonly clientMetadata: Readonly<OAuthClientMetadataInput>;
  /**
   * Private signing keys of a confidential client (`token_endpoint_auth_method: 'private_key_jwt'`), as JWKs
   * or `JoseKey`s, each with a `kid`, at least one for ES256. A session needs the key that it began with:
   * keep old keys in the list when you add a new one.
   */
  readonly keyset?: readonly (Jwk | Key)[];
  /**
   * Keeps sessions, sign-ins under way and the lock in the application's database: `storage: { kind:
   * 'database', encryptionKeys: [process.env.SESSION_KEY] }`. It replaces the three options that follow.
   */
  readonly storage?: DatabaseOAuthStorage;
  /** Default: cache-manager, in memory. */
  readonly stateStore?: OAuthStateStore;
  /** Default: cache-manager, in memory: all users are signed out when the process ends. */
  readonly sessionStore?: OAuthSessionStore;
  /**
   * Runs `fn` while no other caller holds the lock `name`, in any process that shares the session store.
   * Gives what `fn` gives, and throws if it cannot have the lock.
   *
   * - It is taken before a refresh token is sent, since sending one twice ends its session.
   * - It is held for up to 45 seconds, and is not re-entrant.
   * - Default: a lock within this process.
   */
  readonly requestLock?: RuntimeLock;
  /**
   * Whether to refuse to start with sessions that end with the process, or without a `requestLock`. Default:
   * false, which warns of either where `NODE_ENV` is 'production'.
   */
  readonly requireDurableSessions?: boolean;
  /** Default: `https://plc.directory`. */
  readonly plcDirectoryUrl?: string | URL;
  /**
   * A service that resolves handles (the URL of a PDS), or a resolver. Default: DNS and HTTPS, as the
   * protocol says.
   */
  readonly handleResolver?: string | URL | HandleResolver;
  /**
   * For development with a PDS of your own network: whether hosts that a visitor names (PDSes, authorization
   * servers, DID documents) may be reached over plain HTTP and at private addresses. Default: false: public
   * hosts over HTTPS only.
   */
  readonly allowHttp?: boolean;
  /**
   * Default: the global `fetch`. Without `allowHttp` it is only called for public addresses, with a
   * `dispatcher` (of undici) that refuses names of private ones. A `fetch` that replaces the dispatcher, for
   * a proxy, has to refuse them itself.
   */
  readonly fetch?: typeof globalThis.fetch;
}

const OAUTH_NAMES: OptionNames<OAuthOptions> = {
  clientMetadata: true,
  keyset: true,
  storage: true,
  stateStore: true,
  sessionStore: true,
  requestLock: true,
  requireDurableSessions: true,
  plcDirectoryUrl: true,
  handleResolver: true,
  allowHttp: true,
  fetch: true,
  ensureTables: true,
  close: true,
};

/** @throws ParityOptionsError for a name that no option has */
export function checkOAuthNames(options: OAuthOptions): void {
  checkNames('oauth', options, OAUTH_NAMES);
  if (options.storage === undefined) return;
  checkNames<DatabaseOAuthStorage>('oauth.storage', options.storage, {
    kind: true,
    dataSource: true,
    poolSize: true,
    ...ENCRYPTION_NAMES,
  });
}

/**
 * Checks what `AtpOAuthService` is made of.
 *
 * @throws ParityOptionsError for a name that no option has, and for `storage`, which only the module can take
 */
export function checkServiceConfig(config: OAuthOptions): void {
  checkNames('AtpOAuthService', config, { ...OAUTH_NAMES, events: true, logger: true });
  if (!config.storage || config.sessionStore) return;
  throw new ParityOptionsError(
    'oauth.storage is an option of ParityModule, which has the DataSource; give databaseOAuthStores(dataSource, …) here.',
  );
}
