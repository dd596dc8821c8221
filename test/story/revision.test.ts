import { FaultyNetwork } from '../support/faulty-network.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { dropResponse, isWrite } from '../support/fault-proxy.js';
import { aParityApp } from '../support/parity-app.js';
import { passwordsOf } from '../support/sessions.js';
import { until } from '../support/until.js';

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

/** The revision of the repository's latest commit. */
const latestRev = async (did: string): Promise<string> => {
  const url = `${servers.network.pdsUrl}/xrpc/com.atproto.sync.getLatestCommit?did=${did}`;
  return ((await (await fetch(url)).json()) as { rev: string }).rev;
};

for (const kind of databaseKinds) {
  describeDatabase(kind)(`the ledger (${kind})`, () => {
    it('knows the revision of each commit that has written a record, also of one whose answer was lost', async () => {
      const { did, password } = await servers.account();
      const app = await aParityApp({
        model: blog,
        sessions: passwordsOf(servers.proxy.url, { did, password }),
        database: kind,
        storage: 'database',
      });
      const rows = (): Promise<{ cid: string | null; rev: string }[]> =>
        app.dataSource.query(`SELECT cid, rev FROM parity_ledger WHERE did = '${did}'`);
      const posts = app.repository(Post);
      const user = await app.repository(User).save({ did });

      const post = await posts.save(posts.create({ content: 'one', user }));
      expect(await rows()).toEqual([{ cid: post.getAtpCid(), rev: await latestRev(did) }]);

      servers.proxy.fault(isWrite, dropResponse);
      post.content = 'two';
      await posts.save(post);
      servers.proxy.reset();
      await until(async () => {
        await app.parity.retryPendingSyncs(did);
        return !(await app.parity.hasPendingSyncs(did));
      });
      const { cid } = (await servers.network.getRecord(post.getAtpUri()!))!;
      expect(await rows()).toEqual([{ cid, rev: await latestRev(did) }]);

      await posts.remove(post);
      expect(await rows()).toEqual([{ cid: null, rev: await latestRev(did) }]);
      await app.stop();
    });
  });
}
