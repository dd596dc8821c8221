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

/** Does something while the PDS is unavailable, and waits until its try has failed. */
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

    it('leaves what backs off to go on by itself', async () => {
      await start('inline');
      await unavailable(() => author.save('later'));
      expect(await author.pending()).toBe(1);
      // On another device.
      await author.signIn();
      await untilDone();
      expect(await author.records()).toEqual(['later']);
    });

    it('leaves what a background save has just captured to go on by itself', async () => {
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
      'keeps for a retry by hand what was parked, and not the change that finds it out (%s)',
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

    it('leaves a burst of saves in which it comes to go on by itself', async () => {
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
