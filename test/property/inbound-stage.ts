import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent, AtpAgent } from '@atproto/api';
import { parityEntities } from 'nestjs-parity';
import type { DataSource } from 'typeorm';
import { freshDataSource, type FreshDatabase } from '../support/databases.js';
import { memoModel } from '../support/entities/memo.js';
import type { FaultyNetwork } from '../support/faulty-network.js';
import { PdsLog, type LogEntry } from '../support/inbound/pds-log.js';
import { STRATEGIES, type Strategy } from './inbound-steps.js';
import type { Kind } from './kinds.js';

export const MEMO = 'com.example.memo';

/** A class for each strategy; all have the same table. */
export const MODELS = Object.fromEntries(
  Object.entries(STRATEGIES).map(([name, behaviour]) => [name, memoModel(behaviour)]),
) as Record<Strategy, ReturnType<typeof memoModel>>;

/** An account, another app of its owner, and a database, shared by sequences. */
export class InboundPropertyStage implements AsyncDisposable {
  private constructor(
    readonly servers: FaultyNetwork,
    readonly kind: Kind,
    readonly did: string,
    /** Of the application, through the proxy. */
    readonly agent: Agent,
    /** Of the other app, which meets no faults. */
    readonly other: AtpAgent,
    /** Its tables are there already. */
    readonly database: FreshDatabase,
    private readonly dataSource: DataSource,
    private readonly log: PdsLog,
  ) {}

  static async set(servers: FaultyNetwork, kind: Kind): Promise<InboundPropertyStage> {
    servers.proxy.reset();
    // It has to hear of the account's first commit.
    const log = await PdsLog.start(servers.network.pdsUrl);
    const account = await servers.account();
    const other = await servers.network.agent(account);
    const agent = servers.agentAt(servers.proxy.url, other);
    const entities = [...MODELS.remote.entities, ...parityEntities] as Function[];
    const fresh = await freshDataSource(kind.database, entities);
    const dataSource = await fresh.open();
    const database = { ...fresh, options: { ...fresh.options, synchronize: false } };
    return new InboundPropertyStage(servers, kind, account.did, agent, other, database, dataSource, log);
  }

  /** No faults, no records, no rows. */
  async clear(): Promise<void> {
    this.servers.proxy.reset();
    const records = await this.servers.network.listRecords(this.did, MEMO);
    const writes = records.map(({ uri }) => {
      const rkey = uri.split('/').at(-1) ?? '';
      return { $type: 'com.atproto.repo.applyWrites#delete' as const, collection: MEMO, rkey };
    });
    if (writes.length > 0) await this.other.com.atproto.repo.applyWrites({ repo: this.did, writes });
    for (const entity of [...MODELS.remote.entities, ...parityEntities] as Function[])
      await this.dataSource.createQueryBuilder().delete().from(entity).execute();
    await this.events();
  }

  /** All that the PDS has told of the account so far. */
  async events(): Promise<LogEntry[]> {
    const { data } = await this.other.com.atproto.sync.getLatestCommit({ did: this.did });
    while ((this.log.revs.get(this.did) ?? '') < data.rev) await sleep(1);
    return this.log.entries.filter(({ kind, did }) => kind === 'commit' && did === this.did);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log[Symbol.asyncDispose]();
    await this.database.cleanup();
  }
}
