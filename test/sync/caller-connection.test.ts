import { isWrite } from '../support/fault-proxy.js';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

let app: ParityApp;
afterEach(() => app.stop());

for (const kind of databaseKinds.filter((one) => one !== 'sqlite')) {
  describeDatabase(kind)(`the connection of a caller whose deadline is over (${kind})`, () => {
    it('has no transaction of the module open, although another transaction holds the row to settle', async () => {
      await using servers = await FaultyNetwork.start();
      const { did, sessions } = await signedIn(servers);
      app = await aParityApp({
        model: blog,
        sessions,
        database: kind,
        storage: 'database',
        pendingSyncs: { autoRetry: true },
        parity: { sync: { deadlineMs: 800 } },
      });
      const { dataSource } = app;
      const users = app.repository(User);
      const user = await users.save({ did } as User);
      const mine = dataSource.createQueryRunner();
      const other = dataSource.createQueryRunner();
      await mine.startTransaction();
      const post = await mine.manager.save(mine.manager.create(Post, { content: 'one', user }));
      const locked = Promise.withResolvers<void>();
      servers.proxy.fault(isWrite, async (exchange) => {
        const answer = await exchange.forward();
        await other.startTransaction();
        await other.query(`SELECT id FROM post WHERE id = ${post.id} FOR UPDATE`);
        exchange.respond(answer);
        locked.resolve();
      });
      await mine.commitTransaction();
      await locked.promise;
      expect(post.hasAtpRecord()).toBe(false);
      await mine.startTransaction();
      await mine.manager.save(mine.manager.create(User, { did: 'did:plc:x' }));
      await other.rollbackTransaction();
      await until(async () => !(await app.parity.hasPendingSyncs(did)));
      await mine.rollbackTransaction();
      await mine.release();
      await other.release();
      expect(await users.countBy({ did: 'did:plc:x' })).toBe(0);
      expect(await app.repository(Post).findOneByOrFail({ id: post.id })).toMatchObject({
        atpUri: expect.any(String),
      });
    });
  });
}
