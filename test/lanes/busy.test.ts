import { jest } from '@jest/globals';
import { PendingSyncManager } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Post } from '../support/entities/blog.js';
import { describeDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { Author, storages } from './author.js';

jest.setTimeout(60_000);

/** More than a post may have; the column of a kind of database may take less. */
const TOO_LONG = 'x'.repeat(3_001);

let servers: FaultyNetwork;

beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const [storage, database] of storages.filter(([, kind]) => kind !== 'mariadb')) {
  describeDatabase(database)(`an invalid record of a busy account (${storage}, ${database})`, () => {
    it('uses up no attempts while other records of its account are published', async () => {
      const author = await Author.start(servers, { storage, mode: 'background', database });
      const invalid = await author.save(TOO_LONG);
      const manager = author.app.module.get(PendingSyncManager);
      const attempts = async (): Promise<number | undefined> =>
        (await manager.forDid(author.did))[0]?.attempts;
      await until(async () => (await attempts()) === 1);
      for (let count = 1; count <= 5; count++) {
        await author.save(`post ${count}`);
        await until(async () => (await author.records()).length === count);
      }
      await until(async () => (await author.app.parity.stats()).leased === 0);
      expect(await attempts()).toBe(1);

      await author.app.repository(Post).save(Object.assign(invalid, { content: 'corrected' }));
      await until(async () => (await author.pending()) === 0);
      expect(await author.records()).toContain('corrected');
      await author.app.stop();
    });
  });
}
