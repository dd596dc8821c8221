import type { AtpAgent } from '@atproto/api';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import type { ParityModuleOptions } from 'nestjs-parity';
import { aParityApp, type AppOptions, type ParityApp } from './parity-app.js';
import { passwordsOf } from './sessions.js';
import { sharedNetwork } from './shared-network.js';

/** Accounts at the real PDS, another app that writes to them, and applications that follow them. */
export class InboundStage {
  private readonly apps: ParityApp[] = [];

  private constructor(
    readonly network: LocalNetwork,
    readonly account: Account,
    /** Another app of the account's owner. */
    readonly other: AtpAgent,
  ) {}

  static async start(): Promise<InboundStage> {
    const network = await sharedNetwork();
    const account = await network.createAccount({ handle: 'reader.test' });
    return new InboundStage(network, account, await network.agent(account));
  }

  get did(): string {
    return this.account.did;
  }

  /** An application with the account's session, database storage, and nothing that it follows by itself. */
  async app(options: AppOptions, inbound: ParityModuleOptions['inbound'] = {}): Promise<ParityApp> {
    const { network, account } = this;
    const app = await aParityApp({
      sessions: passwordsOf(network.pdsUrl, account),
      storage: 'database',
      ...options,
      parity: {
        ...options.parity,
        inbound: { plcDirectoryUrl: network.plcUrl, allowHttp: true, importOnSignIn: false, ...inbound },
      },
    });
    this.apps.push(app);
    return app;
  }

  async stop(): Promise<void> {
    for (const app of this.apps.splice(0)) await app.stop().catch(() => undefined);
  }

  /** The other app writes a record. */
  async put(collection: string, rkey: string, record: object): Promise<{ uri: string; cid: string }> {
    const { data } = await this.other.com.atproto.repo.putRecord({
      repo: this.did,
      collection,
      rkey,
      record: { $type: collection, ...record },
      validate: false,
    });
    return data;
  }

  async delete(collection: string, rkey: string): Promise<void> {
    await this.other.com.atproto.repo.deleteRecord({ repo: this.did, collection, rkey });
  }

  async value(uri: string | null): Promise<Record<string, unknown> | undefined> {
    return uri === null ? undefined : (await this.network.getRecord(uri))?.value;
  }
}
