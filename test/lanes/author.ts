import type { FaultyNetwork } from '../support/faulty-network.js';
import { Post, User, blog } from '../support/entities/blog.js';
import type { DatabaseKind } from '../support/databases.js';
import { aParityApp, type AppOptions, type ParityApp } from '../support/parity-app.js';
import { type Sessions, signedIn } from '../support/sessions.js';

/** Storages and the databases behind them. */
export const storages = [
  ['cache', 'sqlite'],
  ['database', 'sqlite'],
  ['database', 'postgres'],
  ['database', 'mariadb'],
] as const satisfies readonly (readonly ['cache' | 'database', DatabaseKind])[];

/** An application with one account, whose session ends and begins when the test says so. */
export class Author {
  private constructor(
    readonly servers: FaultyNetwork,
    readonly app: ParityApp,
    readonly sessions: Sessions,
    readonly user: User,
  ) {}

  static async start(
    servers: FaultyNetwork,
    options: Pick<AppOptions, 'database' | 'mode' | 'storage' | 'pendingSyncs'>,
  ): Promise<Author> {
    const { did, sessions } = await signedIn(servers);
    const app = await aParityApp({ model: blog, sessions, ...options });
    servers.proxy.reset();
    return new Author(servers, app, sessions, await app.repository(User).save({ did } as User));
  }

  get did(): string {
    return this.user.did;
  }

  post(content: string, more: Partial<Post> = {}): Post {
    return this.app.repository(Post).create({ content, user: this.user, ...more });
  }

  save(content: string, more: Partial<Post> = {}): Promise<Post> {
    return this.app.repository(Post).save(this.post(content, more));
  }

  /** The account signs in again, and the application hears of it. */
  async signIn(): Promise<void> {
    this.sessions.signIn(this.did);
    await this.app.parity.sessionAvailable(this.did);
  }

  /** The texts of the posts at the PDS, sorted. */
  async records(): Promise<unknown[]> {
    const records = await this.servers.network.listRecords(this.did, 'app.bsky.feed.post');
    return records.map(({ value }) => value['text']).toSorted();
  }

  pending(): Promise<number> {
    return this.app.parity.countPendingSyncs(this.did);
  }
}
