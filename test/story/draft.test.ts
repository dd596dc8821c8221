import { OAuthSessionInvalidError } from 'nestjs-parity';
import type { Repository } from 'typeorm';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { type Sessions, signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const kind of databaseKinds) {
  describeDatabase(kind)(`a draft of an account that has to sign in (${kind})`, () => {
    /** MySQL and MariaDB capture it, and the lane finds that nothing has to be done. */
    const leaves = kind !== 'mariadb';
    let app: ParityApp;
    let posts: Repository<Post>;
    let sessions: Sessions;
    let did: string;
    let user: User;

    beforeEach(async () => {
      ({ did, sessions } = await signedIn(servers));
      app = await aParityApp({
        model: blog,
        sessions,
        database: kind,
        storage: 'database',
        pendingSyncs: { autoRetry: true },
      });
      posts = app.repository(Post);
      user = await app.repository(User).save({ did } as User);
      sessions.revoke(did);
      await post('one').catch(() => undefined);
    });
    afterEach(() => app.stop());

    const post = (content: string, status = 'published'): Promise<Post> =>
      posts.save(posts.create({ content, status, user }));
    const afterSigningIn = async (): Promise<unknown[]> => {
      sessions.signIn(did);
      await app.parity.sessionAvailable(did);
      await until(async () => !(await app.parity.hasPendingSyncs(did)));
      const records = await servers.network.listRecords(did, 'app.bsky.feed.post');
      return records.map(({ value }) => value['text']).toSorted();
    };

    it('is not pending, however often it is edited', async () => {
      const draft = await post('two', 'draft');
      await posts.save(Object.assign(draft, { content: 'three' }));
      expect(await app.parity.countPendingSyncs(did)).toBe(leaves ? 1 : 2);
      expect((await app.parity.statusOf(draft)).status).toBe(leaves ? 'not-eligible' : 'parked');
      expect(await afterSigningIn()).toEqual(['one']);
    });

    it('is pending once it is published, and nothing is published if it is a draft again', async () => {
      const [first, second] = [await post('two', 'draft'), await post('three', 'draft')];
      const published = [first, second].map((draft) => Object.assign(draft, { status: 'published' }));
      await expect(posts.save(published)).rejects.toBeInstanceOf(OAuthSessionInvalidError);
      expect(await app.parity.countPendingSyncs(did)).toBe(3);
      await posts.save(Object.assign(second, { status: 'draft' }));
      expect(await afterSigningIn()).toEqual(['one', 'two']);
    });
  });
}
