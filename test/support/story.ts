import { buildAtprotoLoopbackClientMetadata } from '@atproto/oauth-client-node';
import { AtpOAuthService, parityEntities, type OAuthSessionStore } from 'nestjs-parity';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { blog, Post, User } from './entities/blog.js';
import { together, type Model } from './entities/model.js';
import { aParityApp, type AppOptions, type ParityApp } from './parity-app.js';

export interface StoryOptions extends Pick<AppOptions, 'database' | 'mode' | 'storage' | 'pendingSyncs'> {
  /** An account that exists, instead of a new one that signs in. */
  readonly account?: Account;
  readonly sessionStore?: OAuthSessionStore;
}

let accounts = 0;

/** An application with one account that signs in with OAuth, at a real PDS. */
export class Story {
  static readonly model: Model = together(blog, { entities: parityEntities, mappers: [] });

  private constructor(
    readonly network: LocalNetwork,
    readonly app: ParityApp,
    readonly account: Account,
    readonly user: User,
  ) {}

  static async begin(network: LocalNetwork, options: StoryOptions): Promise<Story> {
    const { account: known, sessionStore, ...more } = options;
    const account = known ?? (await network.createAccount({ handle: `story${++accounts}.test` }));
    const oauth = {
      clientMetadata: buildAtprotoLoopbackClientMetadata({
        scope: 'atproto repo:app.bsky.feed.post',
        redirect_uris: ['http://127.0.0.1:3000/oauth/callback'],
      }),
      plcDirectoryUrl: network.plcUrl,
      handleResolver: network.pdsUrl,
      allowHttp: true,
      ...(sessionStore && { sessionStore }),
    };
    const app = await aParityApp({ model: Story.model, ...more, parity: { oauth } });
    const users = app.repository(User);
    const user =
      (await users.findOneBy({ did: account.did })) ?? (await users.save(users.create({ did: account.did })));
    const story = new Story(network, app, account, user);
    if (!known) await story.signIn();
    return story;
  }

  async signIn(): Promise<void> {
    const oauth = this.app.module.get(AtpOAuthService);
    const url = await oauth.authorize(this.account.handle);
    await oauth.callback((await this.network.signIn(url, this.account)).searchParams);
  }

  save(content: string): Promise<Post> {
    return this.app.repository(Post).save(this.app.repository(Post).create({ content, user: this.user }));
  }

  /** The texts of the posts at the PDS, sorted. */
  async records(): Promise<string[]> {
    const records = await this.network.listRecords(this.account.did, 'app.bsky.feed.post');
    return records.map(({ value }) => (value as { text: string }).text).toSorted();
  }

  /** The names of the events since the last call. */
  told(): string[] {
    return this.app.events.splice(0).map((event) => event.constructor.name);
  }
}
