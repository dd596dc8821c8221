import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { Keyv } from '@keyv/redis';
import { createCache } from 'cache-manager';
import { KeyvFile } from 'keyv-file';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  OAuthSessionInvalidError,
  PendingSyncDiscarded,
  PendingSyncManager,
  type OAuthSessionStore,
  type PendingSyncCache,
} from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { blog, Post } from '../support/entities/blog.js';
import type { FreshDatabase } from '../support/databases.js';
import { aDatabaseFor } from '../support/parity-app.js';
import { aNamespace, redisKeyv } from '../support/redis.js';
import { describeIf } from '../support/servers.js';
import { sharedNetwork } from '../support/shared-network.js';
import { Story, type StoryOptions } from '../support/story.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

let network: LocalNetwork;
beforeAll(async () => {
  network = await sharedNetwork();
});

describeIf('redis')('a restart with pending syncs in Redis', () => {
  const namespace = aNamespace();
  theStory(() => redisKeyv(namespace));
});

describeIf('redis')('a restart with pending syncs in Redis, behind memory', () => {
  const namespace = aNamespace();
  theStory(() => createCache({ stores: [new Keyv(), redisKeyv(namespace)] }));
});

describe('a restart with pending syncs in a file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parity-test-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  theStory(
    () => new Keyv({ store: new KeyvFile({ filename: join(folder, 'pending.json'), writeDelay: 1 }) }),
  );
});

/** @param openCache as each process does it anew */
function theStory(openCache: () => PendingSyncCache): void {
  let database: FreshDatabase;
  let cache: PendingSyncCache;
  let story: Story;
  let sessionStore: OAuthSessionStore;

  beforeEach(async () => {
    database = await aDatabaseFor('sqlite', blog);
    const sessions = new Map<string, never>();
    sessionStore = {
      get: async (did: string) => sessions.get(did),
      set: async (did: string, session: unknown) => void sessions.set(did, session as never),
      del: async (did: string) => void sessions.delete(did),
    };
  });
  afterEach(async () => {
    await story.app.stop();
    await cache.clear();
    await cache.disconnect();
    await database.cleanup();
  });

  const start = async (
    pendingSyncs: StoryOptions['pendingSyncs'] = { autoRetry: true },
    account?: Story['account'],
  ): Promise<void> => {
    cache = openCache();
    story = await Story.begin(network, {
      database,
      sessionStore,
      storage: 'cache',
      pendingSyncs: { ...pendingSyncs, cache },
      ...(account && { account }),
    });
  };

  const restart = async (pendingSyncs?: StoryOptions['pendingSyncs']): Promise<void> => {
    const { account } = story;
    await story.app.stop();
    await cache.disconnect();
    await start(pendingSyncs, account);
  };

  const posts = () => story.app.repository(Post);
  const named = (content: string): Promise<Post> => posts().findOneByOrFail({ content });
  const refused = (write: Promise<unknown>): Promise<void> =>
    expect(write).rejects.toBeInstanceOf(OAuthSessionInvalidError);
  const edit = async (content: string, to: string): Promise<unknown> =>
    posts().save(Object.assign(await named(content), { content: to }));
  const pending = (): Promise<number> => story.app.parity.countPendingSyncs(story.account.did);
  const untilDone = (): Promise<void> => until(async () => (await pending()) === 0);

  it('publishes after the next sign-in each save, edit and removal once', async () => {
    await start();
    for (const content of ['to edit', 'to remove', 'to remove later']) await story.save(content);
    await network.revokeSessions(story.account);
    await refused(story.save('kept'));
    await refused(story.save('gone again'));
    await refused(edit('to edit', 'edited'));
    await refused(posts().remove(await named('to remove')));
    expect(await pending()).toBe(4);

    await restart();
    expect(await pending()).toBe(4);
    // Meanwhile the account is parked, and rows go on changing.
    await refused(edit('kept', 'kept, and edited'));
    await refused(posts().remove(await named('gone again')));
    await refused(posts().remove(await named('to remove later')));
    await refused(story.save('after the restart'));

    await restart();
    expect(await story.records()).toEqual(['to edit', 'to remove', 'to remove later']);
    await story.signIn();
    await untilDone();
    expect(await story.records()).toEqual(['after the restart', 'edited', 'kept, and edited']);
    for (const post of await posts().find()) {
      const { value } = (await network.getRecord(post.getAtpUri()!))!;
      expect(value).toMatchObject({ text: post.content });
    }
    const created = (await network.commits(story.account.did))
      .flatMap(({ ops }) => ops)
      .filter(({ action }) => action === 'create');
    expect(created.map(({ path }) => path)).toEqual([...new Set(created.map(({ path }) => path))]);
    expect(created).toHaveLength(5);
    expect(story.app.log.lines.filter((line) => line.includes('cache'))).toEqual([]);
  });

  it('keeps an unpublish for ever, and reports what has expired while no process ran', async () => {
    await start({ autoRetry: true, ttl: 1 });
    const post = await story.save('to remove');
    await network.revokeSessions(story.account);
    await refused(posts().remove(post));
    await refused(story.save('expires'));
    await sleep(1_100);

    await restart({ autoRetry: true, ttl: 1 });
    await until(async () => (await pending()) === 1);
    expect(await story.app.module.get(PendingSyncManager).forDid(story.account.did)).toMatchObject([
      { operation: 'unpublish', uri: post.getAtpUri() },
    ]);
    await story.signIn();
    await untilDone();
    expect(await story.records()).toEqual([]);
    expect(story.app.taken(PendingSyncDiscarded)).toMatchObject([
      { pendingSync: { operation: 'publish' }, reason: 'it was pending for more than 1 seconds (ttl)' },
    ]);
  });
}
