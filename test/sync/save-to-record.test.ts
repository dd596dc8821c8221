import { RecordPublished, RecordUnpublished } from 'nestjs-parity';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { Post, User, blog } from '../support/entities/blog.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { sharedNetwork } from '../support/shared-network.js';
import { passwordsOf } from '../support/sessions.js';

let network: LocalNetwork;
let alice: Account;

beforeAll(async () => {
  network = await sharedNetwork();
  alice = await network.createAccount({ handle: 'alice.test' });
});

for (const kind of databaseKinds) {
  describeDatabase(kind)(`from save() to a record (${kind})`, () => {
    let app: ParityApp;
    let user: User;

    beforeAll(async () => {
      app = await aParityApp({
        model: blog,
        sessions: passwordsOf(network.pdsUrl, alice),
        database: kind,
      });
      user = await app.repository(User).save({ did: alice.did });
    });
    afterAll(() => app?.stop());

    const records = async (): Promise<unknown[]> =>
      (await network.listRecords(alice.did, 'app.bsky.feed.post')).map(
        ({ value }) => (value as { text: string }).text,
      );

    it('creates, updates and deletes the record with the entity', async () => {
      const posts = app.repository(Post);
      const post = await posts.save(posts.create({ content: 'Hello', user }));
      expect(post.hasAtpRecord()).toBe(true);
      expect(post.getAtpDid()).toBe(alice.did);
      expect((await network.getRecord(post.getAtpUri()!))?.cid).toBe(post.getAtpCid());
      expect(app.taken(RecordPublished)).toEqual([
        expect.objectContaining({ uri: post.atpUri, operation: 'create' }),
      ]);

      post.content = 'Hello again';
      await posts.save(post);
      expect(await records()).toEqual(['Hello again']);
      expect(post.version).toBe(2);
      expect(app.taken(RecordPublished)).toEqual([
        expect.objectContaining({ uri: post.atpUri, operation: 'update' }),
      ]);

      await posts.update(post.id, { content: 'By criteria' });
      expect(await records()).toEqual(['By criteria']);

      await posts.remove(post);
      expect(await records()).toEqual([]);
      expect(app.taken(RecordUnpublished)).toEqual([expect.objectContaining({ entityName: 'Post' })]);
      expect(app.log.lines).toEqual([]);
    });
  });
}
