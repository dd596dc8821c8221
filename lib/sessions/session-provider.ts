import type { Agent } from '@atproto/api';

/**
 * The port to the accounts' sessions. Bring your own with `ParityModule.forRoot({ sessions: MyProvider })`.
 * A provider that learns of a new session calls `ParityService.sessionAvailable(did)`.
 */
export abstract class SessionProvider {
  /**
   * An agent that writes as `did`. It is called for every write, so it should cache what is expensive. If the
   * agent's `sessionManager` has a `dispatchUrl` (as an AtpAgent's does), accounts at one PDS share what is
   * found out about its outages and limits.
   *
   * @throws OAuthSessionInvalidError when the account has no session; any other error counts as passing
   */
  abstract agentFor(did: string): Promise<Agent>;

  /**
   * Names the present session of `did`: constant while it is refreshed, another after a new sign-in; null
   * without a session. It tells a new session from the one that failed, whatever the order in which processes
   * learn of it. Without it the module relies on `sessionAvailable(did)` alone.
   */
  sessionId?(did: string): Promise<string | null>;
}
