import type { Agent } from '@atproto/api';
import { parityEntities } from 'nestjs-parity';
import type { DataSource } from 'typeorm';
import type { FaultyNetwork } from '../support/faulty-network.js';
import { freshDataSource, type FreshDatabase } from '../support/databases.js';
import type { Kind } from './kinds.js';
import { notebook, Owner } from '../support/entities/notebook.js';
import { recordsOf } from './rule-one.js';

/** Two accounts and a database, shared by sequences: accounts that sign in would take most of their time. */
export class Stage implements AsyncDisposable {
  static readonly entities = [...notebook.entities, ...parityEntities] as Function[];

  private constructor(
    readonly servers: FaultyNetwork,
    readonly kind: Kind,
    readonly owners: readonly Owner[],
    /** Of the application, through the proxy. */
    readonly agents: ReadonlyMap<string, Agent>,
    /** Of other apps, which meet no faults. */
    readonly strangers: ReadonlyMap<string, Agent>,
    /** Its tables are there already. */
    readonly database: FreshDatabase,
    private readonly dataSource: DataSource,
  ) {}

  static async set(servers: FaultyNetwork, kind: Kind): Promise<Stage> {
    servers.proxy.reset();
    const owners: Owner[] = [];
    const agents = new Map<string, Agent>();
    const strangers = new Map<string, Agent>();
    for (const id of [1, 2]) {
      const account = await servers.account();
      const agent = await servers.agent(account);
      agents.set(account.did, agent);
      strangers.set(account.did, servers.agentAt(servers.network.pdsUrl, agent));
      owners.push(Object.assign(new Owner(), { id, did: account.did }));
    }
    const fresh = await freshDataSource(kind.database, Stage.entities);
    const dataSource = await fresh.open();
    const database = { ...fresh, options: { ...fresh.options, synchronize: false } };
    return new Stage(servers, kind, owners, agents, strangers, database, dataSource);
  }

  get dids(): string[] {
    return this.owners.map(({ did }) => did);
  }

  /** No faults, no records, no rows but the owners. */
  async clear(): Promise<void> {
    this.servers.proxy.reset();
    await Promise.all(this.dids.map((did) => this.deleteRecords(did)));
    for (const entity of Stage.entities.toReversed())
      await this.dataSource.createQueryBuilder().delete().from(entity).execute();
    await this.dataSource.manager.save(Owner, [...this.owners]);
  }

  private async deleteRecords(did: string): Promise<void> {
    const writes = (await recordsOf(this.servers.network, did)).map(({ uri }) => {
      const [collection = '', rkey = ''] = uri.split('/').slice(-2);
      return { $type: 'com.atproto.repo.applyWrites#delete' as const, collection, rkey };
    });
    if (writes.length > 0) await this.strangers.get(did)!.com.atproto.repo.applyWrites({ repo: did, writes });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database.cleanup();
  }
}
