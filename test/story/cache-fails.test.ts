import { jest } from '@jest/globals';
import {
  OAuthSessionInvalidError,
  SyncFailed,
  type ParityModuleOptions,
  type PendingSyncCache,
} from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { html } from '../support/fault-proxy.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { aNamespace, RedisProxy, redisKeyv } from '../support/redis.js';
import { describeIf } from '../support/servers.js';
import { type Sessions, signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

describeIf('redis')('while the cache of pending syncs', () => {
  let proxy: RedisProxy;
  let cache: PendingSyncCache;
  let app: ParityApp;
  let sessions: Sessions;
  let user: User;

  beforeEach(async () => {
    proxy = await RedisProxy.start();
    cache = redisKeyv(aNamespace(), proxy.url);
  });
  afterEach(async () => {
    servers.proxy.reset();
    proxy.mend();
    await app.stop();
    await cache.clear();
    await cache.disconnect();
    await proxy.stop();
  });

  const start = async (sync: NonNullable<ParityModuleOptions['sync']>): Promise<void> => {
    const one = await signedIn(servers);
    sessions = one.sessions;
    app = await aParityApp({
      model: blog,
      sessions,
      storage: 'cache',
      pendingSyncs: { autoRetry: true, cache },
      parity: { sync },
    });
    user = await app.repository(User).save({ did: one.did } as User);
    // The connection is there.
    expect(await app.parity.hasPendingSyncs(user.did)).toBe(false);
    app.taken(Object);
  };
  const save = (content: string): Promise<Post> =>
    app.repository(Post).save(app.repository(Post).create({ content, user }));
  const records = async (): Promise<unknown[]> =>
    (await servers.network.listRecords(user.did, 'app.bsky.feed.post'))
      .map(({ value }) => value['text'])
      .toSorted();
  const errors = (): string[] =>
    app.log.lines.filter((line) => line.includes('so that what fails now is not kept'));
  const fails = { cut: () => proxy.cut(), silent: () => proxy.silence() };

  describe.each(['cut', 'silent'] as const)('is %s', (how) => {
    it.each(['inline', 'background'] as const)('a save is published at once, in mode %s', async (mode) => {
      await start({ mode, deadlineMs: 60_000 });
      fails[how]();
      const post = await save('published');
      expect(post.hasAtpRecord()).toBe(true);
      expect(await records()).toEqual(['published']);
      expect(app.taken(SyncFailed)).toEqual([]);
      expect(errors()).not.toEqual([]);
      await post.unpublish();
      expect(await records()).toEqual([]);
      await expect(app.parity.hasPendingSyncs(user.did)).rejects.toMatchObject({
        code: 'PENDING_CACHE_FAILED',
      });
    });

    it('the caller of a save gets the auth error, and the log and the event say that the change is not kept', async () => {
      await start({ deadlineMs: 60_000 });
      sessions.revoke(user.did);
      fails[how]();
      await expect(save('lost')).rejects.toBeInstanceOf(OAuthSessionInvalidError);
      expect(app.taken(SyncFailed)).toMatchObject([
        { willRetry: false, error: { code: 'OAUTH_SESSION_INVALID' } },
      ]);
      expect(errors()).not.toEqual([]);
      expect(await app.repository(Post).countBy({ content: 'lost' })).toBe(1);
    });

    it('a failure of the PDS is reported as one that is not retried', async () => {
      await start({ deadlineMs: 60_000 });
      servers.proxy.fault(() => true, html(503), Infinity);
      fails[how]();
      const post = await save('not kept');
      expect(post.hasAtpRecord()).toBe(false);
      expect(app.taken(SyncFailed)).toMatchObject([{ willRetry: false, error: { code: 'PDS_UNAVAILABLE' } }]);
    });

    it('a published record counts as published, although it cannot be settled', async () => {
      await start({ deadlineMs: 60_000 });
      servers.proxy.fault('com.atproto.repo.applyWrites', async (exchange) => {
        const answer = await exchange.forward();
        fails[how]();
        exchange.respond(answer);
      });
      const post = await save('published');
      expect(post.hasAtpRecord()).toBe(true);
      expect(app.taken(SyncFailed)).toEqual([]);
      proxy.mend();
      // The change was captured before its request, and the next attempt finds nothing left to do.
      const retried = () => app.parity.retryPendingSyncs(user.did).catch(() => null);
      await until(async () => (await retried())?.isEmpty() === true);
      expect(await records()).toEqual(['published']);
    });
  });

  it('is silent, a caller waits no longer than its deadline, and the work goes on', async () => {
    await start({ deadlineMs: 100 });
    proxy.silence();
    const post = await save('later');
    expect(post.hasAtpRecord()).toBe(false);
    await until(async () => (await records()).length === 1);
  });

  it('is cut, changes kept before stay, and are published afterwards', async () => {
    await start({ deadlineMs: 60_000 });
    sessions.revoke(user.did);
    await expect(save('kept')).rejects.toBeInstanceOf(OAuthSessionInvalidError);
    proxy.cut();
    sessions.signIn(user.did);
    await app.parity.sessionAvailable(user.did);
    proxy.mend();
    await until(() => app.parity.hasPendingSyncs(user.did).catch(() => false));
    await app.parity.sessionAvailable(user.did);
    await until(async () => (await records()).length === 1);
  });
});
