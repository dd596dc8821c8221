import { AtpAgent, type AtpSessionData } from '@atproto/api';
import { LocalNetworkError } from '../../lib/testing/network/local-network.error.js';
import { LocalNetwork, type Account } from '../../lib/testing/network/local-network.js';
import type { NetworkCommands } from '../../lib/testing/network/network-protocol.js';
import type { WorkerServers } from './environment.js';

/**
 * The PDS and the PLC directory that all test files of a jest worker share: starting a network costs more than most
 * files. A file sees only the accounts that it creates. One that stops the servers or counts what they are asked
 * starts a `LocalNetwork` of its own.
 */
export async function sharedNetwork(): Promise<LocalNetwork> {
  if (!globalThis.workerServers) throw new Error('test/support/environment.ts is not the test environment');
  return new SharedNetwork(await globalThis.workerServers());
}

class SharedNetwork extends LocalNetwork {
  private readonly sessions = new WeakMap<Account, AtpSessionData>();

  constructor(private readonly servers: WorkerServers) {
    super(
      {
        pid: servers.pid,
        request: async <K extends keyof NetworkCommands>(
          command: K,
          ...args: Parameters<NetworkCommands[K]>
        ): Promise<Awaited<ReturnType<NetworkCommands[K]>>> => {
          if (!HARMLESS.has(command)) throw notMine(command);
          const { result, error } = await servers.request(command, args);
          if (error !== undefined) throw new LocalNetworkError(`The local network refused: ${error}`);
          return result as Awaited<ReturnType<NetworkCommands[K]>>;
        },
        stop: () => Promise.reject(notMine('stop')),
      },
      servers.ready,
    );
  }

  /** @param account.handle begins like this; the rest tells it from the handles of other files */
  override async createAccount(account: Parameters<LocalNetwork['createAccount']>[0]): Promise<Account> {
    const [name = '', ...domain] = account.handle.split('.');
    const handle = [`${name.slice(0, 11)}-${this.servers.next()}`, ...domain].join('.');
    const { password = 'a password', email = `${handle.replaceAll('.', '-')}@example.com` } = account;
    const { data } = await new AtpAgent({ service: this.pdsUrl }).com.atproto.server.createAccount({
      handle,
      password,
      email,
    });
    const { did, accessJwt, refreshJwt } = data;
    const created = { did, handle, password, email };
    this.sessions.set(created, { did, handle, accessJwt, refreshJwt, active: true });
    return created;
  }

  /** The first agent of an account has the session that came with it: the PDS lets every login take 350 ms. */
  override async agent(account: Account): Promise<AtpAgent> {
    const session = this.sessions.get(account);
    if (!session) return super.agent(account);
    this.sessions.delete(account);
    const agent = new AtpAgent({ service: this.pdsUrl });
    agent.sessionManager.session = session;
    return agent;
  }
}

/** What concerns one account. */
const HARMLESS = new Set<keyof NetworkCommands>([
  'commits',
  'oauthSessions',
  'revokeSessions',
  'expireAccessTokens',
]);

const notMine = (command: string): Error =>
  new Error(`${command}: other test files use these servers; start a LocalNetwork of the file's own`);
