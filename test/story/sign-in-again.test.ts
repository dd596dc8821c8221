import { buildAtprotoLoopbackClientMetadata } from '@atproto/oauth-client-node';
import {
  AtpOAuthService,
  OAuthSessionInvalidError,
  PendingSyncManager,
  type ParityModuleOptions,
} from 'nestjs-parity';
import { LocalNetwork, type Account } from 'nestjs-parity/testing';
import { Post, PostMapper, User } from '../support/blog.js';
import { until } from '../support/until.js';
import { ParityApp } from '../support/parity-app.js';

let network: LocalNetwork;
let accounts = 0;

beforeAll(async () => {
  network = await LocalNetwork.start();
});
afterAll(() => network.stop());

class Story {
  private constructor(
    readonly app: ParityApp,
    readonly account: Account,
    readonly user: User,
  ) {}

  static async begin(pendingSyncs: NonNullable<ParityModuleOptions['pendingSyncs']>): Promise<Story> {
    const account = await network.createAccount({ handle: `story${++accounts}.test` });
    const app = await ParityApp.start({
      entities: [User, Post],
      parity: {
        oauth: {
          clientMetadata: buildAtprotoLoopbackClientMetadata({
            scope: 'atproto repo:app.bsky.feed.post',
            redirect_uris: ['http://127.0.0.1:3000/oauth/callback'],
          }),
          plcDirectoryUrl: network.plcUrl,
          handleResolver: network.pdsUrl,
          allowHttp: true,
        },
        pendingSyncs: { enabled: true, ...pendingSyncs },
        mappers: [PostMapper],
      },
    });
    const user = await app.repository(User).save({ did: account.did, name: account.handle } as User);
    const story = new Story(app, account, user);
    await story.signIn();
    return story;
  }

  async signIn(): Promise<void> {
    const oauth = this.app.module.get(AtpOAuthService);
    await oauth.callback(
      (await network.signIn(await oauth.authorize(this.account.handle), this.account)).searchParams,
    );
  }

  save(content: string): Promise<Post> {
    return this.app.repository(Post).save(this.app.repository(Post).create({ content, user: this.user }));
  }

  async records(): Promise<string[]> {
    const records = await network.listRecords(this.account.did, 'app.bsky.feed.post');
    return records.map(({ value }) => (value as { text: string }).text);
  }

  /** The names of the events since the last call. */
  told(): string[] {
    return this.app.events.splice(0).map((event) => event.constructor.name);
  }
}

it('a save that meets a revoked session is kept, and runs by itself after the account has signed in again', async () => {
  const story = await Story.begin({ autoRetry: true });
  const { app, account } = story;
  await story.save('before');
  expect(story.told()).toEqual(['SessionAuthenticated', 'RecordPublished']);

  await network.revokeSessions(account);
  await expect(story.save('while signed out')).rejects.toMatchObject({
    code: 'OAUTH_SESSION_INVALID',
    committed: true,
    did: account.did,
    entityName: 'Post',
    entityId: '2',
  });
  expect(await app.repository(Post).countBy({ content: 'while signed out' })).toBe(1);
  expect(await app.parity.countPendingSyncs(account.did)).toBe(1);
  expect(story.told()).toEqual(['SessionInvalidated', 'SyncFailed', 'PendingSyncCaptured']);
  expect(await app.module.get(PendingSyncManager).forDid(account.did)).toEqual([
    expect.objectContaining({ entityName: 'Post', entityId: '2', operation: 'publish', attempts: 0 }),
  ]);

  // The lane is parked: nothing is tried, and nobody is asked to sign in once more by every save.
  await story.save('also while signed out');
  expect(story.told()).toEqual(['PendingSyncCaptured']);

  await story.signIn();
  await until(async () => !(await app.parity.hasPendingSyncs(account.did)));
  expect((await story.records()).toSorted()).toEqual(['also while signed out', 'before', 'while signed out']);
  expect(story.told()).toEqual([
    'SessionAuthenticated',
    'RecordPublished',
    'RecordPublished',
    'PendingSyncRetried',
    'PendingSyncRetried',
  ]);
  const post = await app.repository(Post).findOneByOrFail({ content: 'while signed out' });
  expect((await network.getRecord(post.getAtpUri()!))?.cid).toBe(post.getAtpCid());
  await app.stop();
});

it('the same with a manual retry: new changes go through at once, the backlog waits for it', async () => {
  const story = await Story.begin({ autoRetry: false });
  const { app, account } = story;
  await network.revokeSessions(account);
  await expect(story.save('kept')).rejects.toBeInstanceOf(OAuthSessionInvalidError);
  await expect(app.parity.retryPendingSyncs(account.did)).rejects.toBeInstanceOf(OAuthSessionInvalidError);
  expect(await app.module.get(PendingSyncManager).forDid(account.did)).toEqual([
    expect.objectContaining({ attempts: 0 }),
  ]);

  await story.signIn();
  expect((await story.save('new')).hasAtpRecord()).toBe(true);
  expect(await story.records()).toEqual(['new']);

  const [result, again] = await Promise.all([
    app.parity.retryPendingSyncs(account.did),
    app.parity.retryPendingSyncs(account.did),
  ]);
  expect(result).toMatchObject({ total: 1, succeeded: 1, failed: 0, skipped: 0, errors: [] });
  expect(again.isEmpty()).toBe(true);
  expect((await story.records()).toSorted()).toEqual(['kept', 'new']);
  expect(await app.parity.hasPendingSyncs(account.did)).toBe(false);
  await app.stop();
});

it('the same with a delete whose row is gone', async () => {
  const story = await Story.begin({ autoRetry: true });
  const { app, account } = story;
  const post = await story.save('to go');
  await network.revokeSessions(account);
  await expect(app.repository(Post).remove(post)).rejects.toBeInstanceOf(OAuthSessionInvalidError);
  expect(await app.repository(Post).count()).toBe(0);
  expect(await story.records()).toEqual(['to go']);

  await story.signIn();
  await until(async () => !(await app.parity.hasPendingSyncs(account.did)));
  expect(await story.records()).toEqual([]);
  expect(story.told().slice(-3)).toEqual(['SessionAuthenticated', 'RecordUnpublished', 'PendingSyncRetried']);
  await app.stop();
});
