import { Agent, type AtpSessionData, CredentialSession } from '@atproto/api';
import { type Account, LocalNetwork } from '../../lib/testing/network/index.js';
import { FaultProxy } from './fault-proxy.js';
import { sharedNetwork } from './shared-network.js';

type Kind<N> = new (network: LocalNetwork, proxy: FaultProxy, own: boolean) => N;

/** A PDS behind a fault proxy of the file's own. */
export class FaultyNetwork implements AsyncDisposable {
  private accounts = 0;

  constructor(
    readonly network: LocalNetwork,
    readonly proxy: FaultProxy,
    private readonly own: boolean,
  ) {}

  /** The PDS is that of all files; sessions of {@link FaultyNetwork.agent} are at the proxy. */
  static async start<N extends FaultyNetwork>(this: Kind<N>): Promise<N> {
    const proxy = await FaultProxy.start();
    const network = await sharedNetwork();
    proxy.target = network.pdsUrl;
    proxy.takesSessions = true;
    return new this(network, proxy, false);
  }

  /** A PDS of the file's own, to stop or to configure; it calls itself by the address of the proxy, also to OAuth. */
  static async startOwn<N extends FaultyNetwork>(
    this: Kind<N>,
    options: { rateLimits?: boolean } = {},
  ): Promise<N> {
    const proxy = await FaultProxy.start();
    const network = await LocalNetwork.start({ publicUrl: proxy.url, ...options });
    proxy.target = network.pdsUrl;
    return new this(network, proxy, true);
  }

  async account(): Promise<Account> {
    return this.network.createAccount({ handle: `user${++this.accounts}x.test` });
  }

  /** An agent of the account through the proxy. */
  async agent(account: Account): Promise<Agent> {
    return this.agentAt(this.proxy.url, await this.network.agent(account));
  }

  /** The same session at another address. */
  agentAt(url: string, { sessionManager }: { readonly sessionManager: object }): Agent {
    const session = new CredentialSession(new URL(url));
    session.session = (sessionManager as CredentialSession).session as AtpSessionData;
    return new Agent(session as ConstructorParameters<typeof Agent>[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.own) await this.network.stop();
    await this.proxy.stop();
  }
}
