import type { Agent } from '@atproto/api';
import { AppPasswordSessionProvider, OAuthSessionInvalidError, SessionProvider } from 'nestjs-parity';
import type { Account } from 'nestjs-parity/testing';
import type { FaultyNetwork } from './faulty-network.js';

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

/** A new account with a session that ends and begins when the test says so. */
export async function signedIn(servers: FaultyNetwork): Promise<{ did: string; sessions: Sessions }> {
  const account = await servers.account();
  const sessions = new Sessions();
  sessions.agents.set(account.did, await servers.agent(account));
  return { did: account.did, sessions };
}

/** Sessions of accounts with their own passwords, at a PDS or at the proxy in front of it. */
export const passwordsOf = (
  service: string,
  ...accounts: readonly Pick<Account, 'did' | 'password'>[]
): AppPasswordSessionProvider =>
  new AppPasswordSessionProvider({
    service,
    accounts: accounts.map(({ did, password }) => ({ identifier: did, password })),
  });
