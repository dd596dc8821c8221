import { AuthenticationError, OAuthSessionInvalidError, PendingSyncCaptured } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Post } from '../support/entities/blog.js';
import { describeDatabase } from '../support/databases.js';
import { answer, isWrite } from '../support/fault-proxy.js';
import type { AppOptions } from '../support/parity-app.js';
import { Author, storages } from './author.js';

let servers: FaultyNetwork;
let author: Author;

beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());
afterEach(async () => {
  servers.proxy.reset();
  await author.app.stop();
});

const refused = async (work: Promise<unknown>): Promise<AuthenticationError> =>
  work.then(
    () => {
      throw new Error('it resolved');
    },
    (error: AuthenticationError) => error,
  );

for (const [storage, database] of storages) {
  describeDatabase(database)(`a change that meets a parked lane (${storage}, ${database})`, () => {
    const start = async ({
      whenParked,
      mode = 'inline',
    }: Pick<AppOptions, 'mode'> & { whenParked?: 'throw' | 'keep' } = {}): Promise<Post> => {
      const pendingSyncs = whenParked ? { whenParked } : {};
      author = await Author.start(servers, { storage, pendingSyncs, mode, database });
      return author.save('before');
    };
    /** The error of the save that finds out that the session is gone. */
    const park = (): Promise<AuthenticationError> => {
      author.sessions.revoke(author.did);
      return refused(author.save('first'));
    };
    const posts = () => author.app.repository(Post);

    it('is kept, and its caller gets the same error as the first caller that met the lost session', async () => {
      const before = await start();
      const draft = await author.save('by hand', { status: 'draft' });
      const { message } = await park();
      servers.proxy.reset();
      author.app.events.splice(0);

      const refusals = [
        await refused(author.save('second')),
        await refused(posts().save(Object.assign(before, { content: 'edited' }))),
        await refused(author.app.parity.publish(draft)),
        await refused(posts().remove(before)),
      ];
      for (const error of refusals) {
        expect(error).toBeInstanceOf(OAuthSessionInvalidError);
        expect(error).toMatchObject({ message, committed: true, did: author.did, entityName: 'Post' });
      }
      expect(refusals.map(({ entityId }) => entityId)).toEqual(['4', '1', '2', '1']);
      expect(await posts().find({ order: { id: 'ASC' }, select: { content: true } })).toEqual(
        ['by hand', 'first', 'second'].map((content) => expect.objectContaining({ content })),
      );
      expect(servers.proxy.calls).toEqual([]);
      expect(author.app.events.map((event) => event.constructor)).toEqual(Array(4).fill(PendingSyncCaptured));
      const pending = (author.app.events as PendingSyncCaptured[]).map(({ pendingSync }) => pendingSync);
      expect(pending).toEqual(Array(4).fill(expect.objectContaining({ attempts: 0, lastError: null })));

      await author.signIn();
      await author.app.parity.retryPendingSyncs(author.did);
      expect(await author.records()).toEqual(['by hand', 'first', 'second']);
    });

    it('throws nothing if it needs nothing done', async () => {
      const before = await start();
      await park();
      await expect(author.save('a draft', { status: 'draft' })).resolves.toBeInstanceOf(Post);
      const unchanged = Object.assign(before, { note: 'not in the record' });
      await expect(posts().save(unchanged)).resolves.toBe(before);
    });

    it('throws one error for all changes of a unit of work', async () => {
      await start({ mode: 'request' });
      author.sessions.revoke(author.did);
      const save = (...contents: string[]): Promise<void> =>
        author.app.parity.unitOfWork(async () => {
          for (const content of contents) await author.save(content);
        });
      const first = await refused(save('one', 'two'));
      const { message, did, entityId } = await refused(save('three', 'four'));
      expect([message, did, entityId]).toEqual([first.message, first.did, first.entityId]);
      expect(await author.pending()).toBe(4);
    });

    it("is kept without an error with whenParked: 'keep'", async () => {
      await start({ whenParked: 'keep' });
      await park();
      expect((await author.save('second')).hasAtpRecord()).toBe(false);
      expect(await author.pending()).toBe(2);
    });

    it('throws to no caller in the background', async () => {
      await start({ mode: 'background' });
      author.sessions.revoke(author.did);
      for (const content of ['first', 'second'])
        await expect(author.save(content)).resolves.toBeInstanceOf(Post);
    });

    it('throws again that the account is deactivated', async () => {
      await start();
      servers.proxy.fault(isWrite, answer(401, { error: 'AccountDeactivated', message: 'no' }), Infinity);
      const first = await refused(author.save('first'));
      const second = await refused(author.save('second'));
      for (const error of [first, second]) {
        expect(error).toBeInstanceOf(AuthenticationError);
        expect(error).not.toBeInstanceOf(OAuthSessionInvalidError);
      }
      expect([second.message, second.code]).toEqual([first.message, first.code]);
    });
  });
}
