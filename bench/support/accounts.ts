import { Agent, CredentialSession } from '@atproto/api';
import { OAuthSessionInvalidError, SessionProvider } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';

/** Logged-in agents of many accounts, whose sessions end and begin when the bench says so; counts what is done for each. */
export class Accounts extends SessionProvider {
  private readonly agents = new Map<string, Agent>();
  private readonly revoked = new Set<string>();
  private readonly logins = new Map<string, number>();
  private readonly uses = new Map<string, number>();

  static async create(network: LocalNetwork, count: number): Promise<Accounts> {
    const accounts = new Accounts();
    for (let number = 1; number <= count; number++) {
      const { did, password } = await network.createAccount({ handle: `bench${number}.test` });
      await accounts.logIn(network.pdsUrl, did, password);
    }
    return accounts;
  }

  async logIn(pdsUrl: string, did: string, password: string): Promise<void> {
    const session = new CredentialSession(new URL(pdsUrl), (input, init) => {
      this.used(did);
      return fetch(input, init);
    });
    await session.login({ identifier: did, password });
    this.agents.set(did, new Agent(session as ConstructorParameters<typeof Agent>[0]));
  }

  get dids(): string[] {
    return [...this.agents.keys()];
  }

  /** Agents that were asked for, and requests that they sent. */
  usesOf(dids: readonly string[]): number {
    return dids.reduce((sum, did) => sum + (this.uses.get(did) ?? 0), 0);
  }

  revoke(did: string): void {
    this.revoked.add(did);
  }

  signIn(did: string): void {
    this.revoked.delete(did);
    this.logins.set(did, (this.logins.get(did) ?? 0) + 1);
  }

  override async agentFor(did: string): Promise<Agent> {
    this.used(did);
    const agent = this.agents.get(did);
    if (agent && !this.revoked.has(did)) return agent;
    throw new OAuthSessionInvalidError(`${did} is signed out.`, { did });
  }

  override async sessionId(did: string): Promise<string | null> {
    return this.revoked.has(did) ? null : String(this.logins.get(did) ?? 0);
  }

  private used(did: string): void {
    this.uses.set(did, (this.uses.get(did) ?? 0) + 1);
  }
}
