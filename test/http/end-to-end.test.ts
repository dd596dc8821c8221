import { Body, Controller, HttpException, Post as HttpPost } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { AtpOAuthService } from 'nestjs-parity';
import { LocalNetwork, type Account } from 'nestjs-parity/testing';
import { DataSource } from 'typeorm';
import { metadata } from '../sessions/oauth-fixtures.js';
import { Post, User } from '../support/entities/blog.js';
import { HttpApps, PAGE, platforms, type HttpApp } from './fixtures.js';

const COLLECTION = 'app.bsky.feed.post';

@Controller()
class Blog {
  constructor(private readonly dataSource: DataSource) {}

  @HttpPost('posts')
  async create(@Body() { did, content }: { did: string; content: string }) {
    return { hasRecord: (await this.save(did, content)).hasAtpRecord() };
  }

  /** Three saves of two entities for each account. */
  @HttpPost('stories')
  async tell(@Body() { dids, failWith }: { dids: string[]; failWith?: number }) {
    const haveRecords: boolean[] = [];
    for (const did of dids) {
      const first = await this.save(did, 'First');
      await this.save(did, 'Second');
      await this.dataSource.getRepository(Post).save(Object.assign(first, { content: 'First, edited' }));
      haveRecords.push(first.hasAtpRecord());
    }
    if (failWith) throw new HttpException('after all', failWith);
    return { haveRecords };
  }

  private async save(did: string, content: string): Promise<Post> {
    const user = await this.dataSource.getRepository(User).findOneByOrFail({ did });
    const posts = this.dataSource.getRepository(Post);
    return posts.save(posts.create({ content, user }));
  }
}

let network: LocalNetwork;
let accounts = 0;
const apps = new HttpApps();

beforeAll(async () => {
  network = await LocalNetwork.start();
}, 60_000);
afterAll(() => network?.stop());

const start = (adapter: AbstractHttpAdapter): Promise<HttpApp> => {
  const oauth = {
    clientMetadata: metadata(`atproto repo:${COLLECTION}`),
    plcDirectoryUrl: network.plcUrl,
    handleResolver: network.pdsUrl,
    allowHttp: true,
  };
  return apps.startWhole(adapter, { oauth }, { controllers: [Blog] });
};

async function signIn(app: HttpApp, account: Account, url: string | URL) {
  return app.nest.get(AtpOAuthService).callback((await network.signIn(url, account)).searchParams);
}

async function signedIn(app: HttpApp): Promise<Account> {
  const account = await network.createAccount({ handle: `user${++accounts}.test` });
  await signIn(app, account, await app.nest.get(AtpOAuthService).authorize(account.did));
  await app.nest.get(DataSource).getRepository(User).save({ did: account.did });
  return account;
}

const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
  body: JSON.stringify(body),
});

async function recordsOf({ did }: Account): Promise<unknown[]> {
  return (await network.listRecords(did, COLLECTION)).map(({ value }) => value['text']).toSorted();
}

const commitsOf = async ({ did }: Account): Promise<number> => (await network.commits(did)).length;

const rows = (app: HttpApp): Promise<number> => app.nest.get(DataSource).getRepository(Post).count();

describe.each(platforms)('a request against a PDS, on $platform', ({ adapter }) => {
  it('whose session was revoked keeps the row, and gets a sign-in that works: JSON', async () => {
    const app = await start(adapter());
    const account = await signedIn(app);
    await network.revokeSessions(account);
    const post = { did: account.did, content: 'Hello' };

    const { status, body } = await app.json(
      '/posts',
      json(post, { referer: `${app.url}/posts/new?draft=1` }),
    );

    expect(status).toBe(401);
    expect(body).toEqual({
      error: 'reauthentication_required',
      did: account.did,
      authorizeUrl: expect.stringMatching(network.pdsUrl),
      saved: true,
    });
    expect(await rows(app)).toBe(1);
    expect(await recordsOf(account)).toEqual([]);
    const { authorizeUrl } = body as { authorizeUrl: string };
    expect(await signIn(app, account, authorizeUrl)).toMatchObject({
      did: account.did,
      returnTo: '/posts/new?draft=1',
    });
    expect(await app.json('/posts', json({ ...post, content: 'Again' }))).toMatchObject({ status: 201 });
    expect(await recordsOf(account)).toContain('Again');
  });

  it('whose session was revoked is redirected to a sign-in that works: HTML', async () => {
    const app = await start(adapter());
    const account = await signedIn(app);
    await network.revokeSessions(account);

    const response = await app.fetch('/posts', {
      method: 'POST',
      headers: { accept: PAGE, referer: `${app.url}/posts/new` },
      body: new URLSearchParams({ did: account.did, content: 'Hello' }),
    });

    expect(response.status).toBe(303);
    expect(await rows(app)).toBe(1);
    expect(await signIn(app, account, response.headers.get('location')!)).toMatchObject({
      did: account.did,
      returnTo: '/posts/new',
    });
  });

  it('makes one commit for each account, after the handler and before the response', async () => {
    const app = await start(adapter());
    const [alice, bob] = [await signedIn(app), await signedIn(app)];
    const before = [await commitsOf(alice), await commitsOf(bob)];

    const answer = await app.json('/stories', json({ dids: [alice.did, bob.did] }));

    expect(answer).toEqual({ status: 201, body: { haveRecords: [false, false] } });
    for (const account of [alice, bob]) expect(await recordsOf(account)).toEqual(['First, edited', 'Second']);
    expect([await commitsOf(alice), await commitsOf(bob)]).toEqual(before.map((count) => count + 1));
  });

  it('publishes for the others when one account has to sign in again', async () => {
    const app = await start(adapter());
    const [alice, bob] = [await signedIn(app), await signedIn(app)];
    await network.revokeSessions(alice);

    const answer = await app.json('/stories', json({ dids: [alice.did, bob.did] }));

    expect(answer).toMatchObject({ status: 401, body: { did: alice.did } });
    expect(await recordsOf(bob)).toEqual(['First, edited', 'Second']);
    expect(await rows(app)).toBe(4);
  });

  it('publishes what was saved before the handler failed, and answers with its error', async () => {
    const app = await start(adapter());
    const alice = await signedIn(app);

    const answer = await app.json('/stories', json({ dids: [alice.did], failWith: 422 }));

    expect(answer).toMatchObject({ status: 422, body: { message: 'after all' } });
    expect(await recordsOf(alice)).toEqual(['First, edited', 'Second']);
  });

  it('gets no URL while the PDS is down', async () => {
    const app = await start(adapter());
    const alice = await signedIn(app);
    await app.nest.get(AtpOAuthService).signOut(alice.did);
    await network.stopPds();
    try {
      const answer = await app.json('/posts', json({ did: alice.did, content: 'Hello' }));
      expect(answer).toMatchObject({ status: 401, body: { did: alice.did, authorizeUrl: null } });
    } finally {
      await network.startPds();
    }
  });
});
