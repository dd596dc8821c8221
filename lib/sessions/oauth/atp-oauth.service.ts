import type { Agent } from '@atproto/api';
import { requestLocalLock, type NodeOAuthClient } from '@atproto/oauth-client-node';
import { Logger } from '@nestjs/common';
import { OAuthSessionInvalidError } from '../../errors/oauth-session-invalid.error.js';
import { SignInError } from '../../errors/sign-in.error.js';
import type { ParityEvents } from '../../events/parity-events.js';
import { SessionAuthenticated } from '../../events/session-authenticated.event.js';
import { SessionInvalidated } from '../../events/session-invalidated.event.js';
import { checkNames } from '../../model/option-checks.js';
import { accountNameOf } from '../account-name.js';
import { sessionLoss } from '../session-loss.js';
import type { SessionLogger } from '../session-logger.js';
import { SessionProvider } from '../session-provider.js';
import { bindingHash, bindingOf, memoOf, type SignInMemo } from './browser-binding.js';
import { CacheOAuthSessionStore, CacheOAuthStateStore } from './cache-oauth.stores.js';
import { missingScopes } from './granted-scope.js';
import { KeyedQueue } from '../../runtime/keyed-queue.js';
import { createOAuthClient } from './oauth-client.js';
import { OAuthAgents } from './oauth-agents.js';
import { checkServiceConfig, type OAuthOptions, type OAuthStores } from './oauth-options.js';
import { checkForProduction } from './production-checks.js';
import { RetryingSessionStore } from './retrying-session.store.js';
import { safeReturnTo } from './return-to.js';
import { sessionIdOf } from './session-id.js';
import { otherBrowser, quoted, unknownState } from './sign-in-failure.js';
import { SignInErrors } from './sign-in-errors.js';
import type { AuthorizeOptions, CallbackOptions, SignInResult, SignInUrl } from './sign-in.js';
import { SignInStates } from './sign-in-states.js';
import { GuardedSessionStore, type SignIn, type SignOut } from './guarded-session.store.js';

export interface AtpOAuthConfig extends OAuthOptions {
  readonly events: ParityEvents;
  readonly logger?: SessionLogger;
}

const RESOLVE_TIMEOUT = 20_000;

/** Signs accounts in with OAuth, and gives the agents that write as them. */
export class AtpOAuthService extends SessionProvider {
  #afterSignIn: ((did: string) => Promise<void>) | undefined;
  readonly #client: NodeOAuthClient;
  readonly #states: SignInStates;
  readonly #stores: OAuthStores;
  readonly #retrying: RetryingSessionStore;
  readonly #sessions: GuardedSessionStore;
  readonly #events: ParityEvents;
  readonly #logger: SessionLogger;
  readonly #agents: OAuthAgents;
  readonly #errors: SignInErrors;

  /** @throws ParityOptionsError that names the option, what it got and what it takes */
  constructor(config: AtpOAuthConfig) {
    super();
    checkServiceConfig(config);
    const { stateStore = new CacheOAuthStateStore(), sessionStore = new CacheOAuthSessionStore() } = config;
    this.#events = config.events;
    this.#logger = config.logger ?? new Logger(AtpOAuthService.name);
    this.#states = new SignInStates(stateStore, config.requestLock ?? requestLocalLock);
    const queue = new KeyedQueue();
    this.#stores = config;
    this.#retrying = new RetryingSessionStore(sessionStore, queue, this.#logger);
    this.#sessions = new GuardedSessionStore(this.#retrying, queue, (did, reason) => this.#lost(did, reason));
    this.#client = createOAuthClient(config, {
      stateStore: this.#states,
      sessionStore: this.#sessions,
      onSessionDeleted: (did, cause) => this.#sessions.deleted(did, cause),
    });
    this.#agents = new OAuthAgents(this.#client, this.#sessions);
    this.#errors = new SignInErrors(this.#logger);
    checkForProduction({ stateStore, sessionStore }, config, this.#logger);
  }

  /** Before the first use. @throws ParityOptionsError if the stores miss something, such as their tables */
  async start(): Promise<void> {
    await this.#stores.ensureTables?.();
  }

  /**
   * To be called once, after the last use. Stores what could not be stored before, and closes the connections
   * of the stores.
   */
  async close(): Promise<void> {
    await this.#retrying.close();
    await this.#stores.close?.();
  }

  /** The client metadata document, to be served as JSON at the URL that is its `client_id`. Public. */
  get clientMetadata(): NodeOAuthClient['clientMetadata'] {
    return this.#client.clientMetadata;
  }

  /**
   * The public keys of a confidential client, to be served as JSON at `jwks_uri`; none for a public client.
   */
  get jwks(): NodeOAuthClient['jwks'] {
    return this.#client.jwks;
  }

  /**
   * Begins a sign-in.
   *
   * @param handle as the user types or pastes it: `alice.example.com`, with `@` or `at://`, the address of a
   *   profile page, or a DID
   * @returns the URL to send the browser to, and the `binding` for its cookie
   * @throws SignInError when the handle has no account, the account cannot sign in, or `returnTo` leaves the
   *   application
   * @throws PdsUnavailableError when the PDS, or a service that leads to it, does not answer
   * @throws SessionStoreError when the store of sign-ins fails
   * @throws ParityOptionsError for a name that no option has
   */
  async authorize(handle: string, options: AuthorizeOptions = {}): Promise<SignInUrl> {
    checkNames<AuthorizeOptions>('authorize()', options, { returnTo: true, binding: true });
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
      throw this.#errors.of(error, account, returnTo);
    }
  }

  /**
   * Completes a sign-in, and emits `SessionAuthenticated` once the session is stored.
   *
   * - A session that the account had before is ended, without an event of its own.
   * - Of several requests with one callback URL, in whatever process, one completes the sign-in. The others
   *   get 'unknown-state', and its session lives.
   *
   * @param params the query of the request to the redirect URI
   * @param options the browser's binding. It is compared before anything is stored; if it differs, the
   *   sign-in stays under way.
   * @throws SignInError when the user refused ('access-denied'), no sign-in under way matches
   *   ('unknown-state'), or another browser began it ('other-browser')
   * @throws PdsUnavailableError when the PDS, or a service that leads to it, does not answer
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
   * @throws OAuthSessionInvalidError when the account has no session, or has lost it
   * @throws SessionStoreError when a store fails
   * @throws what the client throws for any other reason (the PDS or the PLC directory is down)
   */
  override async agentFor(did: string): Promise<Agent> {
    for (;;) {
      const session = await this.#sessions.get(did);
      if (!session)
        throw new OAuthSessionInvalidError(`${did} has no session. Let the account sign in.`, { did });
      try {
        return await this.#agents.agentOf(did, session);
      } catch (error) {
        const loss = sessionLoss(error);
        if (loss === null) throw error;
        // A sign-in may have ended meanwhile; then the session before it is lost, and the new one is good.
        const present = await this.sessionId(did);
        if (present !== null && present !== sessionIdOf(session)) continue;
        throw new OAuthSessionInvalidError(
          `The session of ${did} is lost: ${loss}. Let the account sign in again.`,
          { did, cause: error },
        );
      }
    }
  }

  /** The thumbprint of the session's key, which stays over refreshes and is new with each sign-in. */
  override async sessionId(did: string): Promise<string | null> {
    const session = await this.#sessions.get(did);
    return session ? sessionIdOf(session) : null;
  }

  /** @internal Sets what a sign-in waits for once its session is stored. It must not throw. */
  afterSignIn(work: (did: string) => Promise<void>): void {
    this.#afterSignIn = work;
  }

  /**
   * Ends the session of `did`, here and on the server, and emits `SessionInvalidated`; does nothing without a
   * session. Where the server cannot be reached, the session ends here at once, and there by its own
   * lifetime.
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
        throw this.#errors.ofCallback(error, query, returnTo);
      });
    this.#agents.forget(did);
    const missing = missingScopes(this.clientMetadata.scope ?? '', activity.grantedScope);
    if (missing.length > 0) {
      this.#logger.warn(
        `${did} signed in without the scopes ${missing.join(' ')}: the user did not grant them, or the PDS does not ` +
          'know them. What needs them will fail.',
      );
    }
    this.#events.emit(new SessionAuthenticated(did));
    await this.#afterSignIn?.(did);
    return { did, returnTo, missingScopes: missing };
  }

  #lost(did: string, reason: string): void {
    this.#agents.forget(did);
    this.#logger.log(`${did} lost its session: ${reason}.`);
    this.#events.emit(new SessionInvalidated(did, reason));
  }
}
