import { Keyv } from '@keyv/redis';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { aParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

/** Keeps what it is given, except when it fails next. */
class Failing {
  failsNext = false;
  private readonly values = new Map<string, unknown>();

  get(key: string): unknown {
    return this.values.get(key);
  }

  set(key: string, value: unknown): void {
    if (!this.failsNext) return void this.values.set(key, value);
    this.failsNext = false;
    throw new Error('the cache is away');
  }

  delete(key: string): boolean {
    return this.values.delete(key);
  }

  clear(): void {
    this.values.clear();
  }
}

it('a change that is captured during the attempt on one that the cache has not kept is published too', async () => {
  const store = new Failing();
  const { did, sessions } = await signedIn(servers);
  const app = await aParityApp({
    model: blog,
    sessions,
    mode: 'background',
    storage: 'cache',
    pendingSyncs: { autoRetry: true, cache: new Keyv({ store }), cacheOutlivesProcess: true },
  });
  const user = await app.repository(User).save({ did } as User);
  const posts = app.repository(Post);
  const gate = Promise.withResolvers<void>();
  let isAsked = false;
  servers.proxy.fault('com.atproto.sync.getLatestCommit', async (exchange) => {
    isAsked = true;
    await gate.promise;
    exchange.respond(await exchange.forward());
  });
  store.failsNext = true;
  const saved = posts.save(posts.create({ content: 'one', user }));
  await until(() => isAsked);
  const [post] = await posts.find();
  await posts.update(post!.id, { content: 'two' });
  gate.resolve();
  await saved;
  await until(async () => !(await app.parity.hasPendingSyncs(did)));
  const records = await servers.network.listRecords(did, 'app.bsky.feed.post');
  expect(records.map(({ value }) => value['text'])).toEqual(['two']);
  await app.stop();
});
