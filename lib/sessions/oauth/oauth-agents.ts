import { Agent } from '@atproto/api';
import type { NodeOAuthClient, NodeSavedSession } from '@atproto/oauth-client-node';
import type { GuardedSessionStore } from './guarded-session.store.js';
import { sessionIdOf } from './session-id.js';

/** In ms. The client refreshes a token by itself 10 to 40 seconds before its end. */
const FRESH_FOR = 60_000;
const MAX_AGENTS = 1_000;

/** The agents of the accounts that were used last, one per session. */
export class OAuthAgents {
  readonly #agents = new Map<string, { readonly sessionId: string; readonly agent: Agent }>();

  constructor(
    private readonly client: NodeOAuthClient,
    private readonly sessions: GuardedSessionStore,
  ) {}

  /** @throws what the client throws where it cannot refresh the session */
  async agentOf(did: string, session: NodeSavedSession): Promise<Agent> {
    const sessionId = sessionIdOf(session);
    const known = this.#agents.get(did);
    if (known?.sessionId === sessionId && isFresh(session)) return known.agent;
    const restored = await this.sessions.use(sessionId, () => this.client.restore(did));
    if (known?.sessionId === sessionId) return known.agent;
    const manager: Agent['sessionManager'] & { readonly dispatchUrl: URL } = {
      did: restored.did,
      // An AtpAgent has the URL of its PDS here, too; limits and outages of a host are told apart by it.
      dispatchUrl: new URL(session.tokenSet.aud),
      fetchHandler: (path, init) => this.sessions.use(sessionId, () => restored.fetchHandler(path, init)),
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

  /** The session of `did` has ended, or another one takes its place. */
  forget(did: string): void {
    this.#agents.delete(did);
  }
}

function isFresh({ tokenSet }: NodeSavedSession): boolean {
  return tokenSet.expires_at !== undefined && Date.parse(tokenSet.expires_at) - Date.now() > FRESH_FOR;
}
