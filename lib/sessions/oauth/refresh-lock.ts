import { AsyncLocalStorage } from 'node:async_hooks';
import type { NodeSavedSession, RuntimeLock } from '@atproto/oauth-client-node';
import { storeFailure } from '../store-failure.js';

/** In ms, which the authorization server may take for a refresh. The lock's lease lasts longer. */
const REFRESH_TIMEOUT = 30_000;

/** One pass of the client: it reads the session, refreshes it if it must, and stores it. */
interface Turn {
  readonly name: string;
  held: Promise<void> | null;
  free: () => Promise<void>;
  /** Fires when the time of the authorization server is over, including a second request for a nonce. */
  deadline: AbortSignal | null;
}

export interface RefreshLockConfig {
  readonly lock: RuntimeLock;
  readonly fetch: typeof globalThis.fetch;
  /** The session as it is stored now. */
  readonly stored: (did: string) => Promise<NodeSavedSession | undefined>;
}

/**
 * Keeps two processes from sending one refresh token, upon which the server would end the session.
 *
 * The client asks for its lock at every API call, and would refresh a session again that another process has
 * just refreshed while it waited. So this lock is taken when a refresh token is about to be sent, and is held
 * until the client has stored the answer. Under it the token is compared with the stored one: if another
 * process was faster, the client gets the stored session as its answer, and sends nothing.
 */
export class RefreshLock {
  readonly #turns = new AsyncLocalStorage<Turn>();

  constructor(private readonly config: RefreshLockConfig) {}

  /** The client's option `requestLock`. */
  readonly requestLock: RuntimeLock = async (name, fn) => {
    const turn: Turn = { name, held: null, free: async () => {}, deadline: null };
    try {
      return await this.#turns.run(turn, fn);
    } finally {
      await turn.free();
    }
  };

  /** The client's option `fetch`. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const turn = this.#turns.getStore();
    const token = turn && (await refreshTokenOf(request));
    if (!turn || token === null || token === undefined) return this.config.fetch(request);
    turn.held ??= this.#hold(turn);
    await turn.held;
    const session = await this.config.stored(turn.name.replace(/^.*?(?=did:)/, ''));
    if (!session) {
      return json(400, {
        error: 'invalid_grant',
        error_description: 'The session was ended by another process',
      });
    }
    if (session.tokenSet.refresh_token !== token) return json(200, asResponse(session));
    // The client sets no time limit, and a lease ends by itself.
    turn.deadline ??= AbortSignal.timeout(REFRESH_TIMEOUT);
    return this.config.fetch(new Request(request, { signal: turn.deadline }));
  };

  /** Resolves once the lock is held, which lasts until `turn.free()`. */
  #hold(turn: Turn): Promise<void> {
    return new Promise((resolve, reject) => {
      const { name } = turn;
      const hold = async (): Promise<void> =>
        this.config.lock(name, () => {
          const { promise, resolve: end } = Promise.withResolvers<void>();
          turn.free = async () => {
            end();
            // By now the session is refreshed and stored, whatever happens to the lock.
            await done.catch(() => undefined);
          };
          resolve();
          return promise;
        });
      const done = hold();
      done.catch((error: unknown) => reject(storeFailure(`The lock '${name}'`, error)));
    });
  }
}

async function refreshTokenOf(request: Request): Promise<string | null> {
  if (request.method !== 'POST') return null;
  if (!request.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded')) return null;
  const form = new URLSearchParams(await request.clone().text());
  return form.get('grant_type') === 'refresh_token' ? form.get('refresh_token') : null;
}

/** A stored session as an answer of the token endpoint (RFC 6749, section 5.1). */
function asResponse({ tokenSet }: NodeSavedSession): object {
  const { sub, scope, access_token, refresh_token, token_type, expires_at } = tokenSet;
  const seconds =
    expires_at === undefined ? undefined : Math.floor((Date.parse(expires_at) - Date.now()) / 1_000);
  return { sub, scope, access_token, refresh_token, token_type, expires_in: seconds };
}

const json = (status: number, body: object): Response =>
  Response.json(body, { status, headers: { 'cache-control': 'no-store' } });
