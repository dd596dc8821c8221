import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { Agent, CredentialSession, XRPCError } from '@atproto/api';
import { Logger } from '@nestjs/common';
import { OAuthSessionInvalidError } from '../errors/oauth-session-invalid.error.js';
import type { ParityEvents } from '../events/parity-events.js';
import { SessionAuthenticated } from '../events/session-authenticated.event.js';
import { SessionInvalidated } from '../events/session-invalidated.event.js';
import { checkNames, type OptionNames } from '../model/option-checks.js';
import {
  lookupIn,
  type AppPasswordAccounts,
  type AppPasswordCredentials,
  type CredentialsLookup,
} from './app-password-accounts.js';
import type { SessionLogger } from './session-logger.js';
import { SessionProvider } from './session-provider.js';
import { inStore } from './store-failure.js';

interface AppPasswordSettings {
  /** Gets the events of logins and lost sessions; without it there are none. */
  readonly events?: ParityEvents;
  readonly logger?: SessionLogger;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** How long a refused login is answered from memory, in milliseconds. Default: 60,000. */
  readonly rememberRefusal?: number;
}

/** Accounts as a list, or a function that finds the credentials of a DID. */
export type AppPasswordConfig = AppPasswordSettings &
  (AppPasswordAccounts | { readonly credentials: CredentialsLookup });

const CONFIG_NAMES: OptionNames<
  AppPasswordSettings & AppPasswordAccounts & { readonly credentials: CredentialsLookup }
> = {
  service: true,
  accounts: true,
  credentials: true,
  events: true,
  logger: true,
  fetch: true,
  rememberRefusal: true,
};

interface Refusal {
  readonly sessionId: string;
  readonly error: unknown;
  readonly until: number;
}

const LOGIN_TIMEOUT = 20_000;
/** Wrong password, or a second factor that a script does not have. */
const REFUSALS = new Set(['AuthenticationRequired', 'AuthFactorTokenRequired']);

/**
 * Sessions for scripts and bots. Logs in with an app password when a session is first needed, refreshes it,
 * and logs in again when it ends. Keeps everything in memory only.
 */
export class AppPasswordSessionProvider extends SessionProvider {
  readonly #credentials: CredentialsLookup;
  readonly #fetch: typeof globalThis.fetch;
  readonly #events: ParityEvents | undefined;
  readonly #logger: SessionLogger;
  readonly #rememberRefusal: number;
  readonly #sessions = new Map<string, CredentialSession>();
  readonly #logins = new Map<string, Promise<CredentialSession>>();
  readonly #refusals = new Map<string, Refusal>();
  readonly #agents = new Map<string, Agent>();
  /** DIDs whose session has expired and was not replaced since. */
  readonly #expired = new Set<string>();
  /** By DID, the id of its present credentials. */
  readonly #ids = new Map<string, { readonly credentials: string; readonly id: Promise<string> }>();

  /** @throws ParityOptionsError that names the option, what it got and what it takes */
  constructor(config: AppPasswordConfig) {
    super();
    checkNames('AppPasswordSessionProvider', config, CONFIG_NAMES, true);
    const fetch = config.fetch ?? globalThis.fetch;
    this.#fetch = async (input, init) =>
      // The session sends API calls, which have their caller's signal, as a Request, and its own calls as URL
      // and init. Without a time limit these would hold up all callers for as long as a PDS keeps silent.
      input instanceof Request
        ? fetch(input)
        : fetch(input, { ...init, signal: AbortSignal.timeout(LOGIN_TIMEOUT) });
    this.#credentials =
      'credentials' in config
        ? (did) => inStore('The credentials lookup', () => config.credentials(did), did)
        : lookupIn(config, fetch);
    this.#events = config.events;
    this.#logger = config.logger ?? new Logger(AppPasswordSessionProvider.name);
    this.#rememberRefusal = config.rememberRefusal ?? 60_000;
  }

  /**
   * @throws OAuthSessionInvalidError when the DID is unknown, its password is refused or belongs to another
   *   account; what the client throws for any other reason (the PDS does not answer, the account is taken
   *   down)
   */
  override async agentFor(did: string): Promise<Agent> {
    await this.#session(did);
    let agent = this.#agents.get(did);
    if (!agent) {
      agent = new Agent({ did, fetchHandler: (path, init) => this.#send(did, path, init) });
      this.#agents.set(did, agent);
    }
    return agent;
  }

  /**
   * Names the credentials rather than the login, and is the same in every process that has them. An expired
   * session is replaced by a new login. A refused password stays refused until the application gives another
   * one.
   */
  override async sessionId(did: string): Promise<string | null> {
    const credentials = await this.#credentials(did);
    return credentials && this.#idOf(did, credentials);
  }

  async #send(did: string, path: string, init: RequestInit): Promise<Response> {
    const session = await this.#session(did);
    const response = await session.fetchHandler(path, init);
    const expired = !session.hasSession && (response.status === 400 || response.status === 401);
    // The first request has used up a stream.
    if (!expired || init.body instanceof ReadableStream) return response;
    await response.body?.cancel();
    return (await this.#session(did)).fetchHandler(path, init);
  }

  /** One login at a time for each DID, shared by all callers. */
  #session(did: string): Promise<CredentialSession> {
    const present = this.#sessions.get(did);
    if (present) return Promise.resolve(present);
    let login = this.#logins.get(did);
    if (!login) {
      login = this.#login(did).finally(() => this.#logins.delete(did));
      this.#logins.set(did, login);
    }
    return login;
  }

  async #login(did: string): Promise<CredentialSession> {
    const credentials = await this.#credentials(did);
    if (!credentials) {
      throw new OAuthSessionInvalidError(
        `There are no credentials for ${did}: add the account, or let the credentials function return them.`,
        { did },
      );
    }
    const sessionId = await this.#idOf(did, credentials);
    const refusal = this.#refusals.get(did);
    if (refusal?.sessionId === sessionId && Date.now() < refusal.until) throw refusal.error;
    try {
      const session = await this.#logInAs(did, credentials);
      this.#refusals.delete(did);
      this.#expired.delete(did);
      this.#sessions.set(did, session);
      this.#logger.debug(`Logged in as ${did}.`);
      this.#events?.emit(new SessionAuthenticated(did));
      return session;
    } catch (error) {
      // A PDS allows 30 logins in 5 minutes and 300 a day, refused ones included.
      if (error instanceof OAuthSessionInvalidError || isAnswer(error)) {
        this.#refusals.set(did, { sessionId, error, until: Date.now() + this.#rememberRefusal });
      }
      if (error instanceof OAuthSessionInvalidError && this.#expired.delete(did)) {
        this.#events?.emit(new SessionInvalidated(did, 'it expired, and the password is refused'));
      }
      throw error;
    }
  }

  async #logInAs(
    did: string,
    { service, identifier, password }: AppPasswordCredentials,
  ): Promise<CredentialSession> {
    const session: CredentialSession = new CredentialSession(new URL(service), this.#fetch, (event) => {
      if (event === 'expired' && this.#sessions.get(did) === session) {
        this.#sessions.delete(did);
        this.#expired.add(did);
      }
    });
    try {
      await session.login({ identifier, password });
    } catch (error) {
      if (!(error instanceof XRPCError) || !REFUSALS.has(error.error)) throw error;
      throw new OAuthSessionInvalidError(
        `The PDS refuses the password of ${identifier} (${error.message}). Use an app password that is not revoked.`,
        { did, cause: error },
      );
    }
    if (session.did === did) return session;
    const other = session.did;
    await session.logout();
    throw new OAuthSessionInvalidError(
      `The credentials for ${did} log in as another account: '${identifier}' is ${other}. Correct the identifier.`,
      { did },
    );
  }

  #idOf(did: string, { service, identifier, password }: AppPasswordCredentials): Promise<string> {
    const credentials = JSON.stringify([new URL(service), identifier, password]);
    let known = this.#ids.get(did);
    if (known?.credentials !== credentials) {
      known = { credentials, id: idOf(did, credentials) };
      this.#ids.set(did, known);
    }
    return known.id;
  }
}

/** Slow, and salted with the DID: ids are stored, and a reader of them must not find a password by trying. */
async function idOf(did: string, credentials: string): Promise<string> {
  const key = (await scryptAsync(credentials, `nestjs-parity app password of ${did}`, 32)) as Buffer;
  return key.toString('base64url');
}

const scryptAsync = promisify<string, string, number, unknown>(scrypt);

/** Whether the PDS has answered, and would answer the same again; without headers there was no answer. */
function isAnswer(error: unknown): boolean {
  return error instanceof XRPCError && error.headers !== undefined && error.status < 500;
}
