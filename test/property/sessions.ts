import type { Agent } from '@atproto/api';
import { OAuthSessionInvalidError, SessionProvider } from 'nestjs-parity';

/** Real agents of accounts whose sessions end and begin when the test says so. */
export class Sessions extends SessionProvider {
  readonly agents = new Map<string, Agent>();
  private readonly revoked = new Set<string>();
  private readonly logins = new Map<string, number>();

  override async agentFor(did: string): Promise<Agent> {
    const agent = this.agents.get(did);
    if (agent && !this.revoked.has(did)) return agent;
    throw new OAuthSessionInvalidError(`${did} is signed out`, { did });
  }

  override async sessionId(did: string): Promise<string | null> {
    return this.revoked.has(did) ? null : String(this.logins.get(did) ?? 0);
  }

  revoke(did: string): void {
    this.revoked.add(did);
  }

  signIn(did: string): void {
    this.revoked.delete(did);
    this.logins.set(did, (this.logins.get(did) ?? 0) + 1);
  }
}
