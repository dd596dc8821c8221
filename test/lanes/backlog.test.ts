import { jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Post } from '../support/entities/blog.js';
import { describeDatabase } from '../support/databases.js';
import { answer } from '../support/fault-proxy.js';
import { until } from '../support/until.js';
import { Author, storages } from './author.js';

jest.setTimeout(120_000);

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

/** Runs work while the PDS is unavailable, and waits until its attempt has failed. */
async function unavailable(work: () => Promise<unknown>): Promise<void> {
  const { proxy } = servers;
  proxy.reset();
  proxy.fault(() => true, answer(503, { error: 'UpstreamFailure', message: 'later' }), Infinity);
  await work();
  await until(() => proxy.log.length > 0);
  await until(async () => (await author.app.parity.stats()).leased === 0);
  proxy.reset();
}

for (const [storage, database] of storages) {
  describeDatabase(database)(`a sign-in without autoRetry (${storage}, ${database})`, () => {
    const start = async (mode: 'inline' | 'background'): Promise<void> => {
      author = await Author.start(servers, { storage, pendingSyncs: { autoRetry: false }, mode, database });
    };
    const untilDone = (pending = 0): Promise<void> =>
      until(async () => (await author.pending()) === pending, 30_000);

    it('lets a lane that backs off go on automatically', async () => {
      await start('inline');
      await unavailable(() => author.save('later'));
      expect(await author.pending()).toBe(1);
      // On another device.
      await author.signIn();
      await untilDone();
      expect(await author.records()).toEqual(['later']);
    });

    it('lets a background save that was captured just before go on automatically', async () => {
      await start('background');
      await author.app
        .repository(Post)
        .save(Array.from({ length: 300 }, (_, index) => author.post(`${index}`)));
      await sleep(30);
      await author.signIn();
      await untilDone();
      expect(await author.records()).toHaveLength(300);
    });

    it.each(['inline', 'background'] as const)(
      'keeps parked changes for a retry by hand, and not the change that meets the new session (%s)',
      async (mode) => {
        await start(mode);
        author.sessions.revoke(author.did);
        await author.save('parked').catch(() => undefined);
        await until(async () => (await author.app.parity.stats()).parked === 1);
        author.sessions.signIn(author.did);
        await unavailable(() => author.save('found it out'));
        await untilDone(1);
        expect(await author.records()).toEqual(['found it out']);
        expect(await author.app.parity.retryPendingSyncs(author.did)).toMatchObject({ succeeded: 1 });
        expect(await author.records()).toEqual(['found it out', 'parked']);
      },
    );

    it('lets a burst of saves during which it comes go on automatically', async () => {
      await start('background');
      author.sessions.revoke(author.did);
      await author.save('parked');
      await until(async () => (await author.app.parity.stats()).parked === 1);
      author.sessions.signIn(author.did);
      for (let number = 10; number < 60; number++) await author.save(`${number}`);
      await untilDone(1);
      expect(await author.records()).toHaveLength(50);
    });
  });
}
