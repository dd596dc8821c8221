import { jest } from '@jest/globals';
import { PendingSyncManager, RecordPublished } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { LaneAttempts } from '../../lib/lanes/lane-attempts.js';
import { LaneWorker } from '../../lib/lanes/lane.worker.js';
import { Post } from '../support/entities/blog.js';
import { sharedNetwork } from '../support/shared-network.js';
import { until } from '../support/until.js';
import { Crowd } from './crowd.js';

let network: LocalNetwork;
beforeAll(async () => {
  network = await sharedNetwork();
});

const NSID = 'app.bsky.feed.post';

it('ten accounts with much to do take turns with one that has little', async () => {
  const crowd = await Crowd.gather(network, Array(11).fill(network.pdsUrl));
  const big = crowd.users.slice(0, 10);
  const small = crowd.user(10);
  crowd.sessions.close();
  for (const user of big) await crowd.save(user, 250);
  const run = jest.spyOn(LaneAttempts.prototype, 'run');
  await until(() => crowd.sessions.waiting.size === 10);
  await crowd.save(small, 1);
  crowd.app.taken(RecordPublished);
  crowd.sessions.open();
  await until(async () => (await crowd.app.parity.stats())?.pending === 0, 30_000);
  const published = crowd.app.taken(RecordPublished).map(({ did }) => did);
  expect(published).toHaveLength(2_501);
  // By the order of the events, not by a look at what is left, which may come when all is done.
  const before = published.slice(0, published.indexOf(small.did));
  const through = big.filter(({ did }) => before.filter((one) => one === did).length === 250);
  expect(through.length).toBeLessThan(big.length);
  expect(before.length).toBeLessThan(2_500);
  expect(await network.listRecords(big[0]!.did, NSID)).toHaveLength(250);
  // The more accounts, the less of each: after those that began while there were fewer.
  const later = run.mock.calls.slice(10, 15).map(([{ changes }]) => changes.length);
  run.mockRestore();
  expect(Math.max(...later)).toBe(25);
  await crowd.app.stop();
}, 90_000);

it('an account goes on while no other account waits for its place', async () => {
  const crowd = await Crowd.gather(network, [network.pdsUrl]);
  const user = crowd.user(0);
  const work = jest.spyOn(LaneWorker.prototype, 'work');
  await crowd.save(user, 450);
  await until(async () => (await crowd.pending(user)) === 0, 20_000);
  const results = await Promise.all(
    work.mock.results.map(({ value }) => value as ReturnType<LaneWorker['work']>),
  );
  work.mockRestore();
  expect(results.filter((result) => !result.isEmpty())).toMatchObject([{ total: 450, succeeded: 450 }]);
  await crowd.app.stop();
}, 60_000);

it('a live change is published before the findings of a reconciliation', async () => {
  const crowd = await Crowd.gather(network, [network.pdsUrl]);
  const user = crowd.user(0);
  await crowd.insertUnseen(user, 450);
  crowd.sessions.close();
  expect(await crowd.app.parity.reconcile(Post)).toMatchObject({ creates: 450 });
  await until(() => crowd.sessions.waiting.size === 1);
  const [live] = await crowd.save(user, 1, 'live');
  crowd.app.taken(RecordPublished);
  crowd.sessions.open();
  await until(async () => (await crowd.pending(user)) === 0, 20_000);
  const published = crowd.app.taken(RecordPublished);
  expect(published).toHaveLength(451);
  // Behind the request that was under way, and before the rest of the backfill.
  expect(published.findIndex(({ entityId }) => entityId === String(live?.id))).toBe(200);
  await crowd.app.stop();
}, 60_000);

it('a failed record is attempted once each time its lane is worked off, and not once per turn', async () => {
  const crowd = await Crowd.gather(network, [network.pdsUrl]);
  const user = crowd.user(0);
  const posts = crowd.app.repository(Post);
  // The lexicon allows 300 graphemes.
  const contents = ['x'.repeat(400), ...Array.from({ length: 450 }, (_, index) => `post ${index}`)];
  const [bad] = await posts.save(contents.map((content) => posts.create({ content, user })));
  await until(async () => (await crowd.pending(user)) === 1, 20_000);
  expect(await crowd.app.parity.statusOf(bad!)).toMatchObject({ status: 'failed' });
  const [sync] = await crowd.app.module.get(PendingSyncManager).forDid(user.did);
  expect(sync?.attempts).toBe(1);
  await crowd.app.stop();
}, 60_000);
