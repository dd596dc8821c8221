import { Agent } from '@atproto/api';
import {
  OAuthCallbackError,
  requestLocalLock,
  type NodeOAuthClient,
  type NodeSavedSession,
} from '@atproto/oauth-client-node';
import { Logger } from '@nestjs/common';
import { OAuthSessionInvalidError } from '../../errors/oauth-session-invalid.error.js';
import { ParityOptionsError } from '../../errors/parity-options.error.js';
import type { ParityError } from '../../errors/parity.error.js';
import { SignInError } from '../../errors/sign-in.error.js';
import type { ParityEvents } from '../../events/parity-events.js';
import { SessionAuthenticated } from '../../events/session-authenticated.event.js';
import { SessionInvalidated } from '../../events/session-invalidated.event.js';
import { accountNameOf } from '../account-name.js';
import { sessionLoss } from '../session-loss.js';
import type { SessionLogger } from '../session-logger.js';
import { SessionProvider } from '../session-provider.js';
import { bindingHash, bindingOf, memoOf, type SignInMemo } from './browser-binding.js';
import { CacheOAuthSessionStore, CacheOAuthStateStore } from './cache-oauth.stores.js';
import { checkDurability } from './durability.js';
import { missingScopes } from './granted-scope.js';
import { KeyedQueue } from '../../runtime/keyed-queue.js';
import { createOAuthClient } from './oauth-client.js';
import type { OAuthOptions, OAuthStores } from './oauth-options.js';
import { RetryingSessionStore } from './retrying-session.store.js';
import { safeReturnTo } from './return-to.js';
import { sessionIdOf } from './session-id.js';
import {
  foreignWords,
  otherBrowser,
  quoted,
  refusalCode,
  signInFailure,
  unknownState,
} from './sign-in-failure.js';
import { SignInStates } from './sign-in-states.js';
import { GuardedSessionStore, type SignIn, type SignOut } from './guarded-session.store.js';

export interface AtpOAuthConfig extends OAuthOptions {
  readonly events: ParityEvents;
  readonly logger?: SessionLogger;
}

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
 * Where to send the browser. Keep `binding` in a cookie of that browser, and give it to `callback()`: otherwise somebody
 * could send your visitor a link that signs them in as somebody else.
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

const RESOLVE_TIMEOUT = 20_000;
/** Sooner than this the client refreshes a token by itself (10 to 40 seconds before its end). */
const FRESH_FOR = 60_000;
const MAX_AGENTS = 1_000;

/** Signs accounts in with OAuth, and gives the agents that write as them. */
export class AtpOAuthService extends SessionProvider {
  readonly #client: NodeOAuthClient;
  readonly #states: SignInStates;
  readonly #stores: OAuthStores;
  readonly #patient: RetryingSessionStore;
  readonly #sessions: GuardedSessionStore;
  readonly #events: ParityEvents;
  readonly #logger: SessionLogger;
  readonly #agents = new Map<string, { readonly sessionId: string; readonly agent: Agent }>();

  /** @throws ParityOptionsError that names the option, what it got and what it takes */
  constructor(config: AtpOAuthConfig) {
    super();
    const { stateStore = new CacheOAuthStateStore(), sessionStore = new CacheOAuthSessionStore() } = config;
    this.#events = config.events;
    this.#logger = config.logger ?? new Logger(AtpOAuthService.name);
    this.#states = new SignInStates(stateStore, config.requestLock ?? requestLocalLock);
    const queue = new KeyedQueue();
    this.#stores = config;
    this.#patient = new RetryingSessionStore(sessionStore, queue, this.#logger);
    this.#sessions = new GuardedSessionStore(this.#patient, queue, (did, reason) => this.#lost(did, reason));
    this.#client = createOAuthClient(config, {
      stateStore: this.#states,
      sessionStore: this.#sessions,
      onSessionDeleted: (did, cause) => this.#sessions.deleted(did, cause),
    });
    if (config.storage && !config.sessionStore) {
      throw new ParityOptionsError(
        'oauth.storage is an option of ParityModule, which has the DataSource; give databaseOAuthStores(dataSource, …) here.',
      );
    }
    checkDurability({ stateStore, sessionStore }, config, this.#logger);
    if (config.allowHttp && process.env['NODE_ENV'] === 'production') {
      this.#logger.warn(
        'oauth.allowHttp is true: whoever signs in can make this server ask addresses of its own network. It is for development.',
      );
    }
  }

  /** Once, before the first use. @throws ParityOptionsError if the stores miss something, such as their tables */
  async start(): Promise<void> {
    await this.#stores.ensureTables?.();
  }

  /** Once, after the last use: stores what could not be stored before, and closes the connections of the stores. */
  async close(): Promise<void> {
    await this.#patient.close();
    await this.#stores.close?.();
  }

  /** The client metadata document, to be served as JSON at the URL that is its `client_id`. Public. */
  get clientMetadata(): NodeOAuthClient['clientMetadata'] {
    return this.#client.clientMetadata;
  }

  /** The public keys of a confidential client, to be served as JSON at `jwks_uri`; none for a public client. */
  get jwks(): NodeOAuthClient['jwks'] {
    return this.#client.jwks;
  }

  /**
   * Begins a sign-in.
   *
   * @param handle as the user types or pastes it: `alice.example.com`, with `@` or `at://`, a profile's address, or a DID
   * @returns the URL to send the browser to, and the `binding` for its cookie
   * @throws SignInError when the handle has no account, the account cannot sign in, or `returnTo` leaves the application
   * @throws PdsUnavailableError when the PDS, or what leads to it, does not answer
   * @throws SessionStoreError when the store of sign-ins fails
   */
  async authorize(handle: string, options: AuthorizeOptions = {}): Promise<SignInUrl> {
    const returnTo = options.returnTo === undefined ? null : safeReturnTo(options.returnTo);
    // Handles come from forms, where the field may be missing.
    const typed = String(handle ?? '');
    const account = accountNameOf(typed);
    if (account === null) {
      throw new SignInError(
        'handle-not-found',
        `'${quoted(typed)}' is no handle. A handle looks like alice.example.com; a DID or the address of a profile page will do.`,
        {},
        returnTo,
      );
    }
    const binding = bindingOf(options.binding);
    const memo: SignInMemo = {
      returnTo,
      bindingHash: bindingHash(binding),
      isBound: 'binding' in options,
    };
    try {
      const url = await this.#client.authorize(account, {
        signal: AbortSignal.timeout(RESOLVE_TIMEOUT),
        state: JSON.stringify(memo),
      });
      return Object.assign(url, { binding });
    } catch (error) {
      throw this.#failure(error, account, returnTo);
    }
  }

  /**
   * Completes a sign-in, and emits `SessionAuthenticated` once the session is stored. A session that the account had
   * before is ended, without an event of its own. Of several requests with one callback URL, in whatever process, one
   * completes the sign-in; the others get 'unknown-state', and its session lives.
   *
   * @param params the query of the request to the redirect URI
   * @param options the browser's binding; compared before anything is stored, and the sign-in stays as it is if it differs
   * @throws SignInError when the user refused ('access-denied'), no sign-in under way matches ('unknown-state'), or
   *   another browser began it ('other-browser')
   * @throws PdsUnavailableError when the PDS, or what leads to it, does not answer
   * @throws SessionStoreError when a store fails
   */
  async callback(
    params: URLSearchParams | Record<string, string>,
    options?: CallbackOptions,
  ): Promise<SignInResult> {
    const query = new URLSearchParams(params);
    const state = query.get('state');
    const found = state ? await this.#states.find(state) : undefined;
    const memo = memoOf(found?.appState);
    if (!state || !memo) throw unknownState();
    if (options || memo.isBound) {
      const { binding } = options ?? {};
      if (binding === undefined || bindingHash(binding) !== memo.bindingHash)
        throw otherBrowser(memo.returnTo);
    }
    const result = await this.#states.complete(state, () => this.#complete(query, memo.returnTo));
    if (!result) throw unknownState();
    return result;
  }

  /**
   * @throws OAuthSessionInvalidError when the account has no session, or has lost it; what the client throws for any
   * other reason (the PDS or the PLC directory is down); SessionStoreError when the store is
   */
  override async agentFor(did: string): Promise<Agent> {
    for (;;) {
      const session = await this.#sessions.get(did);
      if (!session)
        throw new OAuthSessionInvalidError(`${did} has no session. Let the account sign in.`, { did });
      try {
        return await this.#agentOf(did, session);
      } catch (error) {
        const loss = sessionLoss(error);
        if (loss === null) throw error;
        // A sign-in may have ended between the look and the use; what is lost then is the session before it.
        const present = await this.sessionId(did);
        if (present !== null && present !== sessionIdOf(session)) continue;
        throw new OAuthSessionInvalidError(
          `The session of ${did} is lost: ${loss}. Let the account sign in again.`,
          { did, cause: error },
        );
      }
    }
  }

  /** The thumbprint of the session's key: stays over refreshes, is new with each sign-in. */
  override async sessionId(did: string): Promise<string | null> {
    const session = await this.#sessions.get(did);
    return session ? sessionIdOf(session) : null;
  }

  /**
   * Ends the session of `did`, here and on the server, and emits `SessionInvalidated`; nothing without a session.
   * Where the server cannot be reached, the session ends here, and there by its own lifetime.
   */
  async signOut(did: string): Promise<void> {
    const activity: SignOut = { kind: 'sign-out', ended: false };
    try {
      await this.#sessions.during(activity, () => this.#client.revoke(did));
    } catch (error) {
      if (!activity.ended) throw error;
      this.#logger.warn(`${did} signed out here, but the server could not be told.`);
    }
  }

  async #complete(query: URLSearchParams, returnTo: string | null): Promise<SignInResult> {
    const activity: SignIn = { kind: 'sign-in', replaced: new Set(), grantedScope: '' };
    const { did } = await this.#sessions
      .during(activity, () => this.#client.callback(query))
      .then(({ session }) => session)
      .catch((error: unknown) => {
        for (const replaced of activity.replaced) this.#lost(replaced, 'replaced by a sign-in that failed');
        throw this.#callbackFailure(error, query, returnTo);
      });
    this.#agents.delete(did);
    const missing = missingScopes(this.clientMetadata.scope ?? '', activity.grantedScope);
    if (missing.length > 0) {
      this.#logger.warn(
        `${did} signed in without the scopes ${missing.join(' ')}: the user did not grant them, or the PDS does not ` +
          'know them. What needs them will fail.',
      );
    }
    this.#events.emit(new SessionAuthenticated(did));
    return { did, returnTo, missingScopes: missing };
  }

  #callbackFailure(error: unknown, query: URLSearchParams, returnTo: string | null): ParityError {
    // The callback error itself holds the query, code included, which belongs in no log.
    const cause = error instanceof OAuthCallbackError ? error.cause : error;
    const refusal = query.get('error');
    if (refusal === 'access_denied') {
      return new SignInError('access-denied', 'The user did not allow the sign-in.', {}, returnTo);
    }
    if (cause !== undefined) return this.#failure(cause, 'the account', returnTo);
    this.#logger.warn(`A sign-in was called back with an answer that is no use: ${foreignWords(error)}`);
    return new SignInError('other', `The sign-in failed${refusalCode(refusal)}.`, {}, returnTo);
  }

  /** What went wrong is for the log; what can be done about it is for the visitor. */
  #failure(error: unknown, account: string, returnTo: string | null): ParityError {
    const failure = signInFailure(error, account, returnTo);
    if (failure.cause !== error) return failure;
    const line = `${failure.message} (${foreignWords(error)})`;
    // A misspelled handle is nobody's concern but its visitor's.
    if (failure instanceof SignInError && failure.reason === 'handle-not-found') this.#logger.debug(line);
    else this.#logger.warn(line);
    return failure;
  }

  async #agentOf(did: string, session: NodeSavedSession): Promise<Agent> {
    const sessionId = sessionIdOf(session);
    const known = this.#agents.get(did);
    if (known?.sessionId === sessionId && isFresh(session)) return known.agent;
    const restored = await this.#sessions.use(sessionId, () => this.#client.restore(did));
    if (known?.sessionId === sessionId) return known.agent;
    const manager: Agent['sessionManager'] & { readonly dispatchUrl: URL } = {
      did: restored.did,
      // Where an AtpAgent has it: whose limits and outages these are.
      dispatchUrl: new URL(session.tokenSet.aud),
      fetchHandler: (path, init) => this.#sessions.use(sessionId, () => restored.fetchHandler(path, init)),
    };
    const agent = new Agent(manager);
    this.#agents.delete(did);
    this.#agents.set(did, { sessionId, agent });
    for (const oldest of this.#agents.keys()) {
      if (this.#agents.size <= MAX_AGENTS) break;
      this.#agents.delete(oldest);
    }
    return agent;
  }

  #lost(did: string, reason: string): void {
    this.#agents.delete(did);
    this.#logger.log(`${did} lost its session: ${reason}.`);
    this.#events.emit(new SessionInvalidated(did, reason));
  }
}

function isFresh({ tokenSet }: NodeSavedSession): boolean {
  return tokenSet.expires_at !== undefined && Date.parse(tokenSet.expires_at) - Date.now() > FRESH_FOR;
}
