import type { AtpAgent } from '@atproto/api';
import type { ParityOptions } from 'nestjs-parity';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { boldAndCareful, type OwnNote } from './entities/bold-and-careful.js';
import { FaultProxy } from './fault-proxy.js';
import { aParityApp, type AppOptions, type ParityApp, type ParityAppOptions } from './parity-app.js';
import { passwordsOf } from './sessions.js';
import { sharedNetwork } from './shared-network.js';

/** A PDS behind a proxy, an account, and applications that write to it. */
export class NoteNetwork {
  private readonly apps: ParityApp[] = [];

  private constructor(
    readonly network: LocalNetwork,
    readonly proxy: FaultProxy,
    readonly account: Account,
    /** Another app of the account's owner. */
    readonly other: AtpAgent,
  ) {}

  static async start(): Promise<NoteNetwork> {
    const proxy = await FaultProxy.start();
    const network = await sharedNetwork();
    proxy.target = network.pdsUrl;
    proxy.takesSessions = true;
    const account = await network.createAccount({ handle: 'alice.test' });
    return new NoteNetwork(network, proxy, account, await network.agent(account));
  }

  async app(parity: ParityOptions = {}, more: Partial<AppOptions> = {}): Promise<ParityApp> {
    const sessions = passwordsOf(this.proxy.url, this.account);
    const app = await aParityApp({ model: boldAndCareful, sessions, parity, ...more });
    this.apps.push(app);
    return app;
  }

  /** Options of the module for an application that writes as the account. */
  parity(options: ParityOptions): ParityAppOptions['parity'] {
    return {
      ...options,
      sessions: passwordsOf(this.proxy.url, this.account),
      mappers: boldAndCareful.mappers,
    };
  }

  note<E extends OwnNote>(type: new () => E, text: string): E {
    return Object.assign(new type(), { did: this.account.did, text });
  }

  /** What is at the PDS. */
  async text(uri: string | null): Promise<unknown> {
    return uri === null ? undefined : (await this.network.getRecord(uri))?.value['text'];
  }

  /** What another app does to a record. */
  async meddle(uri: string, text: string | null): Promise<void> {
    const [repo = '', collection = '', rkey = ''] = uri.slice('at://'.length).split('/');
    if (text === null) await this.other.com.atproto.repo.deleteRecord({ repo, collection, rkey });
    else
      await this.other.com.atproto.repo.putRecord({
        repo,
        collection,
        rkey,
        record: { text },
        validate: false,
      });
  }

  async stop(): Promise<void> {
    for (const app of this.apps) await app.stop();
    await this.proxy.stop();
  }
}
