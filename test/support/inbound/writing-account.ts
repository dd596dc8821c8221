import type { AtpAgent } from '@atproto/api';
import type { Account, LocalNetwork } from '../../../lib/testing/index.js';
import { sharedNetwork } from '../shared-network.js';

const COLLECTION = 'com.example.note';

/** An account of the real PDS whose records the contract writes. */
export class WritingAccount {
  readonly collection = COLLECTION;

  private constructor(
    readonly network: LocalNetwork,
    readonly account: Account,
    readonly agent: AtpAgent,
  ) {}

  static async create(handle = 'writer.test'): Promise<WritingAccount> {
    const network = await sharedNetwork();
    const account = await network.createAccount({ handle });
    return new WritingAccount(network, account, await network.agent(account));
  }

  get did(): string {
    return this.account.did;
  }

  async write(
    rkey: string,
    record: Readonly<Record<string, unknown>> | null,
  ): Promise<{ rev: string; cid: string | null }> {
    const at = { repo: this.did, collection: COLLECTION, rkey };
    if (record === null) {
      const { data } = await this.agent.com.atproto.repo.deleteRecord(at);
      return { rev: data.commit?.rev ?? '', cid: null };
    }
    const { data } = await this.agent.com.atproto.repo.putRecord({ ...at, record: { ...record } });
    return { rev: data.commit?.rev ?? '', cid: data.cid };
  }

  async setActive(isActive: boolean): Promise<void> {
    if (isActive) await this.agent.com.atproto.server.activateAccount();
    else await this.agent.com.atproto.server.deactivateAccount({});
  }
}
