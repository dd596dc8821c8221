import type { Agent } from '@atproto/api';

/**
 * The port to the accounts' sessions. Bring your own with `ParityModule.forRoot({ sessions: MyProvider })`.
 * A provider that learns of a new session calls `ParityService.sessionAvailable(did)`.
 */
export abstract class SessionProvider {
  /**
   * An agent that writes as `did`. Called for every write, so it caches what is expensive. If its `sessionManager` has a `dispatchUrl`
   * (as an AtpAgent's does), accounts at one PDS share what is found of its outages and limits; otherwise each is on its own.
   * @throws OAuthSessionInvalidError when the account has no session; any other error counts as passing
   */
  abstract agentFor(did: string): Promise<Agent>;

  /**
   * Names the present session of `did`: constant while it is refreshed, another after a new sign-in; null without a session.
   * It is how a new session is told from the one that failed, whatever the order in which processes hear of it.
   * A provider without it relies on `sessionAvailable(did)` alone.
   */
  sessionId?(did: string): Promise<string | null>;
}
