import { jest } from '@jest/globals';
import { OAuthSessionInvalidError, PendingSyncManager } from 'nestjs-parity';
import { Author, storages } from '../lanes/author.js';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Post } from '../support/entities/blog.js';
import { describeDatabase } from '../support/databases.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

let servers: FaultyNetwork;
let author: Author;

beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());
afterEach(() => author.app.stop());

for (const [storage, database] of storages) {
  describeDatabase(database)(`a request by hand (${storage}, ${database})`, () => {
    beforeEach(async () => {
      author = await Author.start(servers, { storage, pendingSyncs: { autoRetry: true }, database });
    });
    const posts = () => author.app.repository(Post);
    const refused = (work: Promise<unknown>): Promise<void> =>
      expect(work).rejects.toBeInstanceOf(OAuthSessionInvalidError);
    const signIn = async (): Promise<void> => {
      await author.signIn();
      await until(async () => (await author.pending()) === 0, 20_000);
    };
    const stored = (id: number): Promise<Post> => posts().findOneByOrFail({ id });

    it('publishes a draft that was edited while its account was signed out', async () => {
      const draft = await author.save('a draft', { status: 'draft' });
      author.sessions.revoke(author.did);
      await refused(author.app.parity.publish(draft));
      await posts().save(Object.assign(draft, { content: 'an edited draft' }));
      await signIn();
      expect(await author.records()).toEqual(['an edited draft']);
      expect((await stored(draft.id)).hasAtpRecord()).toBe(true);
    });

    it('publishes a draft that is edited before its turn has come', async () => {
      const draft = await author.save('a draft', { status: 'draft' });
      await author.app.module.get(PendingSyncManager).capture(draft, 'publish');
      await posts().save(Object.assign(draft, { content: 'an edited draft' }));
      await author.app.parity.retryPendingSyncs(author.did);
      expect(await author.records()).toEqual(['an edited draft']);
    });

    it('publishes no draft that was removed while its account was signed out', async () => {
      const draft = await author.save('a draft', { status: 'draft' });
      author.sessions.revoke(author.did);
      await refused(author.app.parity.publish(draft));
      await refused(posts().remove(draft));
      await signIn();
      expect(await author.records()).toEqual([]);
    });

    it('publishes no draft for which the opposite was requested since', async () => {
      const draft = await author.save('a draft', { status: 'draft' });
      author.sessions.revoke(author.did);
      await refused(author.app.parity.publish(draft));
      await refused(author.app.parity.unpublish(draft));
      await signIn();
      expect(await author.records()).toEqual([]);
    });

    it('deletes the record of an entity that was edited since, and publishes the entity under a new key', async () => {
      const post = await author.save('a post');
      const uri = post.getAtpUri()!;
      author.sessions.revoke(author.did);
      await refused(author.app.parity.unpublish(post));
      await refused(posts().save(Object.assign(post, { content: 'an edited post' })));
      await signIn();
      expect(await author.records()).toEqual(['an edited post']);
      expect(await servers.network.getRecord(uri)).toBeNull();
      const { atpUri, atpCid } = await stored(post.id);
      expect((await servers.network.getRecord(atpUri!))?.cid).toBe(atpCid);
    });

    it('deletes the record of an entity that was edited and became a draft since', async () => {
      const post = await author.save('a post');
      author.sessions.revoke(author.did);
      await refused(author.app.parity.unpublish(post));
      await refused(posts().save(Object.assign(post, { content: 'an edited post' })));
      await posts()
        .save(Object.assign(post, { status: 'draft' }))
        .catch(() => undefined);
      await signIn();
      expect(await author.records()).toEqual([]);
      expect((await stored(post.id)).hasAtpRecord()).toBe(false);
    });

    it('deletes the record of an entity that was removed since', async () => {
      const post = await author.save('a post');
      author.sessions.revoke(author.did);
      await refused(author.app.parity.unpublish(post));
      await refused(posts().remove(post));
      await signIn();
      expect(await author.records()).toEqual([]);
    });
  });
}
