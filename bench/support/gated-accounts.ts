import { Agent, AtpAgent } from '@atproto/api';
import { OAuthSessionInvalidError, SessionProvider } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { HttpClock } from './http-clock.js';

/** Logged-in agents. While the gate is closed no lane begins to work, though it may be leased already. */
export class GatedAccounts extends SessionProvider {
  private gate = Promise.resolve();
  open: () => void = () => undefined;

  private constructor(
    private readonly agents: ReadonlyMap<string, Agent>,
    readonly http: HttpClock,
  ) {
    super();
  }

  static async start(network: LocalNetwork, name: string, count: number): Promise<GatedAccounts> {
    const http = new HttpClock();
    const agents = new Map<string, Agent>();
    for (let number = 0; number < count; number++) {
      const { did, password } = await network.createAccount({ handle: `${name}-${number}.test` });
      const agent = new AtpAgent({ service: network.pdsUrl, fetch: http.fetch });
      await agent.login({ identifier: did, password });
      agents.set(did, agent as unknown as Agent);
    }
    return new GatedAccounts(agents, http);
  }

  get dids(): string[] {
    return [...this.agents.keys()];
  }

  close(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gate = promise;
    this.open = resolve;
  }

  /** Asked for at the start of each try. */
  override async sessionId(did: string): Promise<string> {
    await this.gate;
    return did;
  }

  override async agentFor(did: string): Promise<Agent> {
    const agent = this.agents.get(did);
    if (agent) return agent;
    throw new OAuthSessionInvalidError(`No session for ${did}.`, { did });
  }
}
