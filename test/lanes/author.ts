import { parityEntities, type ParityModuleOptions } from 'nestjs-parity';
import type { FaultyNetwork } from '../pds/fixtures.js';
import type { Sessions } from '../property/sessions.js';
import { Post, PostMapper, User } from '../support/blog.js';
import type { DatabaseKind } from '../support/databases.js';
import { ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/signed-in.js';

export interface AuthorOptions {
  readonly pendingSyncs: NonNullable<ParityModuleOptions['pendingSyncs']>;
  readonly mode?: 'inline' | 'request' | 'background';
  readonly database?: DatabaseKind;
}

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

  static async start(servers: FaultyNetwork, options: AuthorOptions): Promise<Author> {
    const { pendingSyncs, mode = 'inline', database = 'sqlite' } = options;
    const { did, sessions } = await signedIn(servers);
    const app = await ParityApp.start({
      entities: [User, Post, ...parityEntities] as Function[],
      database,
      parity: {
        sessions,
        pendingSyncs: { enabled: true, ...pendingSyncs },
        sync: { mode },
        mappers: [PostMapper],
      },
    });
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
