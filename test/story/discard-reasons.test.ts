import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { PendingSyncDiscarded } from 'nestjs-parity';
import { Author, storages } from '../lanes/author.js';
import { FaultyNetwork } from '../support/faulty-network.js';
import { PostMapper } from '../support/entities/blog.js';
import { describeDatabase } from '../support/databases.js';

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const [storage, database] of storages) {
  describeDatabase(database)(`a pending sync that is given up (${storage}, ${database})`, () => {
    let author: Author;
    afterEach(async () => {
      jest.restoreAllMocks();
      await author.app.stop();
    });

    const reasons = (): string[] => author.app.taken(PendingSyncDiscarded).map(({ reason }) => reason);

    it('after too many attempts names their number, and the last error as far as it is kept', async () => {
      author = await Author.start(servers, { storage, pendingSyncs: { maxAttempts: 2 }, database });
      jest.spyOn(PostMapper.prototype, 'toRecord').mockImplementation(() => {
        throw new Error(`It is too ${'l'.repeat(3_000)}ong`);
      });
      await author.save('refused');
      for (let tries = 0; tries < 2; tries++) await author.app.parity.retryPendingSyncs(author.did);
      const [{ pendingSync, reason }] = author.app.taken(PendingSyncDiscarded) as [PendingSyncDiscarded];
      expect(pendingSync.lastError).toHaveLength(2_000);
      expect(reason).toBe(`2 tries failed (maxAttempts), the last with: ${pendingSync.lastError}`);
    });

    it('after its ttl names that ttl as the reason', async () => {
      author = await Author.start(servers, { storage, pendingSyncs: { ttl: 1 }, database });
      author.sessions.revoke(author.did);
      await author.save('too old').catch(() => undefined);
      await sleep(1_100);
      expect(await author.app.parity.cleanupPendingSyncs()).toBe(1);
      expect(reasons()).toEqual(['it was pending for more than 1 seconds (ttl)']);
    });
  });
}
