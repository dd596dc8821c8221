import type { Agent } from '@atproto/api';
import { SessionProvider } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { Post, User, blog } from '../support/entities/blog.js';
import { aParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { until } from '../support/until.js';
import { passwordsOf } from '../support/sessions.js';

let network: LocalNetwork;
let accounts = 0;

beforeAll(async () => {
  network = await sharedNetwork();
});

/** Sessions that keep their caller waiting while the gate is closed. */
class GatedSessions extends SessionProvider {
  gate: Promise<void> = Promise.resolve();
  asked = 0;

  constructor(private readonly sessions: SessionProvider) {
    super();
  }

  override async agentFor(did: string): Promise<Agent> {
    this.asked += 1;
    await this.gate;
    return this.sessions.agentFor(did);
  }
}

it.each(['none', 'cache', 'database'] as const)(
  'an entity that is recovered while its record is being deleted is published again, under a new key (pending syncs: %s)',
  async (storage) => {
    const { did, password } = await network.createAccount({ handle: `back${++accounts}.test` });
    const sessions = new GatedSessions(passwordsOf(network.pdsUrl, { did, password }));
    const app = await aParityApp({
      model: blog,
      sessions,
      storage,
    });
    const posts = app.repository(Post);
    const user = await app.repository(User).save({ did } as User);
    const post = await posts.save(posts.create({ content: 'here to stay', user }));
    const before = post.getAtpUri();

    const asked = sessions.asked;
    const { promise, resolve: open } = Promise.withResolvers<void>();
    sessions.gate = promise;
    const deleted = posts.softDelete(post.id);
    await until(() => sessions.asked > asked);
    const recovered = posts.restore(post.id);
    await until(async () => (await posts.countBy({ id: post.id })) === 1);
    open();
    await Promise.all([deleted, recovered]);

    await until(async () => (await posts.findOneByOrFail({ id: post.id })).hasAtpRecord());
    const now = await posts.findOneByOrFail({ id: post.id });
    expect(now.getAtpUri()).not.toBe(before);
    const records = await network.listRecords(did, 'app.bsky.feed.post');
    expect(records.map(({ uri, value }) => [uri, (value as { text: string }).text])).toEqual([
      [now.getAtpUri(), 'here to stay'],
    ]);
    await app.stop();
  },
);
