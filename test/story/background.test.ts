import { jest } from '@jest/globals';
import { RecordPublished, SyncFailed } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { CachePendingSyncStore } from '../../lib/pending/cache/cache-pending-sync.store.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { until } from '../support/until.js';
import { passwordsOf } from '../support/sessions.js';

let network: LocalNetwork;

beforeAll(async () => {
  network = await sharedNetwork();
});

async function start(
  mode: 'background' | 'inline',
  handle: string,
): Promise<{ app: ParityApp; user: User; did: string }> {
  const { did, password } = await network.createAccount({ handle });
  const app = await aParityApp({
    model: blog,
    sessions: passwordsOf(network.pdsUrl, { did, password }),
    mode,
    storage: 'cache',
  });
  return { app, did, user: await app.repository(User).save({ did } as User) };
}

const written = async (did: string): Promise<number[]> => {
  const [, ...commits] = await network.commits(did);
  return commits.map(({ ops }) => ops.length);
};

it('in background mode save() returns before the record is there, and ten edits make one write', async () => {
  const { app, user, did } = await start('background', 'background.test');
  const posts = app.repository(Post);
  const post = await posts.save(posts.create({ content: 'first', user }));
  expect(post.hasAtpRecord()).toBe(false);
  for (let edit = 1; edit <= 10; edit++) await posts.update(post.id, { content: `edit ${edit}` });
  await until(async () => !(await app.parity.hasPendingSyncs(did)));
  const saved = await posts.findOneByOrFail({ id: post.id });
  expect((await network.getRecord(saved.getAtpUri()!))?.value).toMatchObject({ text: 'edit 10' });
  expect((await written(did)).length).toBeLessThan(11);
  expect(app.taken(RecordPublished).length).toBe((await written(did)).length);
  await app.stop();
});

it('in background mode a change that cannot be kept is written before save() returns', async () => {
  const { app, user, did } = await start('background', 'unkept.test');
  const posts = app.repository(Post);
  const broken = jest
    .spyOn(CachePendingSyncStore.prototype, 'capture')
    .mockRejectedValueOnce(new Error('the cache is full'));
  const post = await posts.save(posts.create({ content: 'at once', user }));
  broken.mockRestore();
  expect(post.hasAtpRecord()).toBe(true);
  expect(await written(did)).toEqual([1]);
  expect(app.taken(SyncFailed)).toEqual([]);
  expect(app.log.lines).toEqual([
    `error Storing the pending syncs of ${did} failed, so that what fails now is not kept: the cache is full`,
  ]);
  await app.stop();
});

it('a unit of work writes everything of an account in one commit, after it has ended', async () => {
  const { app, user, did } = await start('inline', 'unit.test');
  const posts = app.repository(Post);
  await app.parity.unitOfWork(async () => {
    const first = await posts.save(posts.create({ content: 'one', user }));
    await posts.save([posts.create({ content: 'two', user }), posts.create({ content: 'three', user })]);
    await posts.update(first.id, { content: 'one, edited' });
    expect(await written(did)).toEqual([]);
  });
  expect(await written(did)).toEqual([3]);
  await app.stop();
});
