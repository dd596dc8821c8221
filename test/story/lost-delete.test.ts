import type { Repository } from 'typeorm';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { dropResponse, resetBefore, isWrite } from '../support/fault-proxy.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { until } from '../support/until.js';
import { passwordsOf } from '../support/sessions.js';

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

interface Way {
  readonly away: (post: Post, posts: Repository<Post>, app: ParityApp) => Promise<unknown>;
  readonly back: Way['away'];
}

const bySoftDelete: Way = {
  away: ({ id }, posts) => posts.softDelete(id),
  back: ({ id }, posts) => posts.restore(id),
};
const byHand: Way = {
  away: (post, _posts, { parity }) => parity.unpublish(post),
  back: (post, _posts, { parity }) => parity.publish(post),
};

it.each([
  ['recovered', 'cache', bySoftDelete],
  ['recovered', 'database', bySoftDelete],
  ['published by hand', 'cache', byHand],
  ['published by hand', 'database', byHand],
] as const)(
  'an entity that is %s before anybody knows that its record is deleted gets a record at another address (%s)',
  async (_back, storage, { away, back }) => {
    const account = await servers.account();
    const { did, password } = account;
    const app = await aParityApp({
      model: blog,
      sessions: passwordsOf(servers.proxy.url, { did, password }),
      storage,
    });
    const posts = app.repository(Post);
    const user = await app.repository(User).save({ did } as User);
    const post = await posts.save(posts.create({ content: 'here to stay', user }));
    const before = post.getAtpUri();

    servers.proxy.fault(isWrite, dropResponse);
    servers.proxy.fault(() => true, resetBefore, 100);
    await away(post, posts, app);
    expect(await servers.network.getRecord(before!)).toBeNull();
    await back(post, posts, app);
    servers.proxy.reset();
    await until(async () => {
      await app.parity.retryPendingSyncs(did);
      return !(await app.parity.hasPendingSyncs(did));
    });

    const now = await posts.findOneByOrFail({ id: post.id });
    expect(now.getAtpUri()).not.toBe(before);
    const records = await servers.network.listRecords(did, 'app.bsky.feed.post');
    expect(records.map(({ uri }) => uri)).toEqual([now.getAtpUri()]);
    expect(app.log.lines.filter((line) => line.includes('by somebody else'))).toEqual([]);
    await app.stop();
  },
);
