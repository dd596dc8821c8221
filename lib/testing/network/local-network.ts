import { randomBytes } from 'node:crypto';
import { AtpAgent } from '@atproto/api';
import { AuthorizationPages, type AuthorizationDecision } from './authorization-pages.js';
import { LocalNetworkError } from './local-network.error.js';
import type { NetworkReady, NetworkServers, RepositoryCommit } from './network-protocol.js';
import { NetworkProcess } from './network-process.js';
import { NetworkXrpc } from './network-xrpc.js';

export interface LocalNetworkOptions {
  /** Port of the PDS; a free one by default. */
  readonly pdsPort?: number;
  /** Port of the PLC directory; a free one by default. */
  readonly plcPort?: number;
  /**
   * The URL that the PDS announces in DID documents, tokens and its OAuth metadata, for a proxy in front of
   * it. By default its own, `http://localhost:<port>`.
   */
  readonly publicUrl?: string;
  /**
   * Whether the PDS limits rates as in production (5,000 write points an hour for each account, ...). Default
   * false.
   */
  readonly rateLimits?: boolean;
  /** Whether the servers log to this process's output. Default false. */
  readonly logs?: boolean;
}

export interface Account {
  readonly did: string;
  readonly handle: string;
  readonly password: string;
  readonly email: string;
}

/** A record as the PDS gives it: plain JSON, with `$link`, `$bytes` and blobs in their JSON form. */
export interface StoredRecord {
  readonly uri: string;
  readonly cid: string;
  readonly value: Record<string, unknown>;
}

/**
 * A PDS and a PLC directory on this machine, in a process of their own, for tests and for trying things out.
 * The network starts empty, needs no internet, and leaves nothing behind, neither when it is stopped nor when
 * this process dies. It needs the optional peers `@atproto/pds` and `@did-plc/server`.
 */
export class LocalNetwork implements AsyncDisposable {
  readonly #servers: NetworkServers;
  readonly #ready: NetworkReady;
  readonly #xrpc: NetworkXrpc;

  /** For a subclass whose servers are started elsewhere; other callers use {@link LocalNetwork.start}. */
  protected constructor(servers: NetworkServers, ready: NetworkReady) {
    this.#servers = servers;
    this.#ready = ready;
    this.#xrpc = new NetworkXrpc(this.pdsUrl, ready);
  }

  /**
   * @throws LocalNetworkError with the servers' output when they do not start (a port is taken, a peer is
   *   missing)
   */
  static async start(options: LocalNetworkOptions = {}): Promise<LocalNetwork> {
    const { pdsPort, plcPort, publicUrl, rateLimits = false, logs = false } = options;
    const process = new NetworkProcess({ pdsPort, plcPort, publicUrl, rateLimits }, logs);
    return new LocalNetwork(process, await process.ready());
  }

  /**
   * The address of the PDS, `http://localhost:<port>`, without a slash at its end. Stays the same over
   * restarts.
   */
  get pdsUrl(): string {
    return `http://localhost:${this.#ready.pdsPort}`;
  }

  /**
   * The address that the PDS announces, which is also its OAuth issuer: `pdsUrl`, or the option `publicUrl`.
   */
  get publicUrl(): string {
    return this.#ready.publicUrl;
  }

  get plcUrl(): string {
    return `http://localhost:${this.#ready.plcPort}`;
  }

  /** The folder that holds the data of the PDS until `stop()`. */
  get dataDirectory(): string {
    return this.#ready.dataDirectory;
  }

  /** Process id of the servers, for a test that wants to kill them. */
  get pid(): number {
    return this.#servers.pid;
  }

  /** Ends both servers and removes their data. Calling it again does nothing. */
  stop(): Promise<void> {
    return this.#servers.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * @param account.handle a free name under `.test`, at least three characters before the dot: `alice.test`
   * @param account.password random by default
   */
  async createAccount(account: {
    readonly handle: string;
    readonly password?: string;
    readonly email?: string;
  }): Promise<Account> {
    const { handle, password = randomBytes(12).toString('hex') } = account;
    const email = account.email ?? `${handle.replaceAll('.', '-')}@example.com`;
    const { did } = await this.#xrpc.post('com.atproto.server.createAccount', { handle, password, email });
    return { did: String(did), handle, password, email };
  }

  /** An agent that is logged in with the account's own password, so that it may do everything. */
  async agent(account: Account): Promise<AtpAgent> {
    const agent = new AtpAgent({ service: this.pdsUrl });
    await agent.login({ identifier: account.did, password: account.password });
    return agent;
  }

  /** Makes an app password and returns it (`xxxx-xxxx-xxxx-xxxx`). */
  async createAppPassword(account: Account, name = `app ${randomBytes(4).toString('hex')}`): Promise<string> {
    const agent = await this.agent(account);
    const { data } = await agent.com.atproto.server.createAppPassword({ name });
    return data.password;
  }

  /**
   * Does what a user does in the browser at `authorizeUrl`: signs in, consents (or refuses), and follows the
   * redirects up to the app.
   *
   * @returns the URL of the app's callback with `code`, `state` and `iss` (or `error`), which is not
   *   requested
   * @throws LocalNetworkError with the answer of a page that refuses: a wrong password, an expired request,
   *   ...
   */
  signIn(authorizeUrl: string | URL, account: Account, decision: AuthorizationDecision = {}): Promise<URL> {
    return new AuthorizationPages(authorizeUrl).run(account, decision);
  }

  /** How many OAuth sessions the server has for this account. */
  oauthSessions(account: Pick<Account, 'did'>): Promise<number> {
    return this.#servers.request('oauthSessions', account.did);
  }

  /**
   * Ends all OAuth sessions of the account, as its user can on the account page.
   *
   * @returns how many there were
   */
  revokeSessions(account: Pick<Account, 'did'>): Promise<number> {
    return this.#servers.request('revokeSessions', account.did);
  }

  /**
   * Makes the server refuse the current OAuth access tokens, as if they had expired. Their clients are not
   * told, and can refresh.
   */
  expireAccessTokens(account: Pick<Account, 'did'>): Promise<number> {
    return this.#servers.request('expireAccessTokens', account.did);
  }

  /** All records of a collection, newest rkey first; none for an empty or unknown collection. */
  async listRecords(did: string, collection: string): Promise<StoredRecord[]> {
    const records: StoredRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#xrpc.get('com.atproto.repo.listRecords', {
        repo: did,
        collection,
        limit: '100',
        ...(cursor === undefined ? {} : { cursor }),
      });
      records.push(...(page['records'] as StoredRecord[]));
      cursor = page['cursor'] as string | undefined;
    } while (cursor !== undefined);
    return records;
  }

  /** @returns null when there is no such record (or one that is taken down) */
  async getRecord(uri: string): Promise<StoredRecord | null> {
    const [repo = '', collection = '', rkey = ''] = uri.replace(/^at:\/\//, '').split('/');
    try {
      return (await this.#xrpc.get('com.atproto.repo.getRecord', {
        repo,
        collection,
        rkey,
      })) as unknown as StoredRecord;
    } catch (error) {
      if (error instanceof LocalNetworkError && error.cause === 'RecordNotFound') return null;
      throw error;
    }
  }

  /**
   * Every commit of the repository in order, as the firehose announced them. The first is the empty commit
   * that created the repository. Needs the PDS to run.
   */
  commits(did: string): Promise<RepositoryCommit[]> {
    return this.#servers.request('commits', did);
  }

  /**
   * Takes the PDS away: its port refuses connections until `startPds()`.
   *
   * @param how.abruptly cuts the requests under way, so that their callers do not learn the outcome; by
   *   default they have a second to finish
   */
  stopPds(how: { readonly abruptly?: boolean } = {}): Promise<void> {
    return this.#servers.request('stopPds', how.abruptly ?? false);
  }

  /** Brings the PDS back, at the same port, with the same data. */
  startPds(): Promise<void> {
    return this.#servers.request('startPds');
  }

  async restartPds(): Promise<void> {
    await this.stopPds();
    await this.startPds();
  }

  /** Takes the PLC directory away: DIDs can no longer be resolved. */
  stopPlc(): Promise<void> {
    return this.#servers.request('stopPlc');
  }

  startPlc(): Promise<void> {
    return this.#servers.request('startPlc');
  }

  /** Takes the account down, as its host's moderators can. */
  async takedown(did: string): Promise<void> {
    await this.#setTakedown(did, true);
  }

  async untakedown(did: string): Promise<void> {
    await this.#setTakedown(did, false);
  }

  async deactivate(account: Account): Promise<void> {
    const agent = await this.agent(account);
    await agent.com.atproto.server.deactivateAccount({});
  }

  async activate(account: Account): Promise<void> {
    const agent = await this.agent(account);
    await agent.com.atproto.server.activateAccount();
  }

  /** Deletes the account and its repository for good. */
  async deleteAccount(did: string): Promise<void> {
    await this.#xrpc.post('com.atproto.admin.deleteAccount', { did });
  }

  async #setTakedown(did: string, applied: boolean): Promise<void> {
    await this.#xrpc.post('com.atproto.admin.updateSubjectStatus', {
      subject: { $type: 'com.atproto.admin.defs#repoRef', did },
      takedown: { applied, ref: 'local-network' },
    });
  }
}
