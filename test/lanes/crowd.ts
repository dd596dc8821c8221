import { AtpAgent, type Agent } from '@atproto/api';
import { SessionProvider, type ParityOptions } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { Post, User, blog } from '../support/entities/blog.js';
import { aParityApp, type AppOptions, type ParityApp } from '../support/parity-app.js';

let crowds = 0;

/** Sessions of accounts behind a gate. While the gate is closed, each caller that asks for an agent waits. */
class GatedSessions extends SessionProvider {
  readonly agents = new Map<string, AtpAgent>();
  /** DIDs that wait for their agent. */
  readonly waiting = new Set<string>();
  private gate = Promise.withResolvers<void>();

  constructor() {
    super();
    this.open();
  }

  open(): void {
    this.gate.resolve();
  }

  close(): void {
    this.gate = Promise.withResolvers();
  }

  override async agentFor(did: string): Promise<Agent> {
    this.waiting.add(did);
    await this.gate.promise;
    this.waiting.delete(did);
    return this.agents.get(did) as AtpAgent as unknown as Agent;
  }
}

/** An application in background mode, with several accounts at one PDS, or at several addresses of it. */
export class Crowd {
  private constructor(
    readonly app: ParityApp,
    readonly sessions: GatedSessions,
    readonly users: readonly User[],
  ) {}

  static async gather(
    network: LocalNetwork,
    services: readonly string[],
    options: Pick<AppOptions, 'database' | 'mode'> & Pick<ParityOptions, 'pds'> = {},
  ): Promise<Crowd> {
    const sessions = new GatedSessions();
    const { database = 'sqlite', mode = 'background', pds } = options;
    const app = await aParityApp({
      model: blog,
      sessions,
      database,
      mode,
      storage: 'database',
      pendingSyncs: { autoRetry: true },
      ...(pds && { parity: { pds } }),
    });
    const crowd = ++crowds;
    const users: User[] = [];
    for (const [index, service] of services.entries()) {
      const handle = `one${index}-crowd${crowd}.test`;
      const { did, password } = await network.createAccount({ handle });
      const agent = new AtpAgent({ service });
      await agent.login({ identifier: did, password });
      sessions.agents.set(did, agent);
      users.push(await app.repository(User).save({ did } as User));
    }
    return new Crowd(app, sessions, users);
  }

  user(index: number): User {
    const user = this.users[index];
    if (!user) throw new Error(`There is no account ${index} in this crowd.`);
    return user;
  }

  async save(user: User, count: number, content = 'post'): Promise<Post[]> {
    const posts = this.app.repository(Post);
    return posts.save(
      Array.from({ length: count }, (_, index) => posts.create({ content: `${content} ${index}`, user })),
    );
  }

  /** Rows that no event told of, and that only a reconciliation finds. */
  async insertUnseen(user: User, count: number): Promise<void> {
    const now = new Date();
    const row = { status: 'published', user, version: 1, createdAt: now, updatedAt: now };
    const rows = Array.from({ length: count }, (_, index) => ({ ...row, content: `old ${index}` }));
    await this.app.dataSource
      .createQueryBuilder()
      .insert()
      .into('post')
      .values(rows)
      .callListeners(false)
      .execute();
  }

  async pending(user: User): Promise<number> {
    return this.app.parity.countPendingSyncs(user.did);
  }
}
