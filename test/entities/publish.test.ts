import { SyncResult } from 'nestjs-parity';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { Post, User, blog } from '../support/entities/blog.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { passwordsOf } from '../support/sessions.js';

let network: LocalNetwork;
let alice: Account;
let bob: Account;
let app: ParityApp;
let user: User;

beforeAll(async () => {
  network = await sharedNetwork();
  alice = await network.createAccount({ handle: 'alice.test' });
  bob = await network.createAccount({ handle: 'bob.test' });
  app = await aParityApp({
    model: blog,
    sessions: passwordsOf(network.pdsUrl, alice, bob),
  });
  user = await app.repository(User).save({ did: alice.did });
});
afterAll(async () => {
  await app?.stop();
});

/** A post that is published by hand only: drafts do not sync. */
const draft = (fields: Partial<Post> = {}): Promise<Post> =>
  app
    .repository(Post)
    .save(Object.assign(new Post(), { content: 'Hello', status: 'draft', user, ...fields }));
const edit = (post: Post, content: string): Promise<Post> =>
  app.repository(Post).save(Object.assign(post, { content }));
const stored = (post: Post) => app.repository(Post).findOneByOrFail({ id: post.id });
const text = async (uri: string | null): Promise<unknown> =>
  uri === null ? null : (await network.getRecord(uri))?.value['text'];

describe('publish()', () => {
  it('creates the record, and shows it on the instance and in the row', async () => {
    const post = await draft();
    expect(post.hasAtpRecord()).toBe(false);
    const result = await post.publish();
    expect(result).toBeInstanceOf(SyncResult);
    expect(result).toMatchObject({ status: 'published', uri: post.atpUri, cid: post.atpCid });
    expect(result.isSuccess()).toBe(true);
    expect(post.getAtpDid()).toBe(alice.did);
    expect(await network.getRecord(post.atpUri!)).toMatchObject({ cid: post.atpCid });
    expect(await stored(post)).toMatchObject({
      atpUri: post.atpUri,
      atpCid: post.atpCid,
      atpRkey: post.getAtpRkey(),
      atpSyncedAt: post.getAtpSyncedAt(),
      version: 1,
    });
  });

  it('of a published entity updates its record, and leaves one that is right alone', async () => {
    const post = await draft();
    const { uri } = await post.publish();
    expect(await post.publish()).toMatchObject({ status: 'unchanged', uri, cid: post.atpCid });
    await edit(post, 'Hello again');
    expect(await text(uri!)).toBe('Hello');
    expect(await post.publish()).toMatchObject({ status: 'published', uri });
    expect(await text(uri!)).toBe('Hello again');
  });

  it('publishes the row as it is saved, not what the instance has on top', async () => {
    const post = await draft();
    post.content = 'not saved';
    await post.publish();
    expect(await text(post.atpUri)).toBe('Hello');
    expect(post.content).toBe('not saved');
  });

  it('of an instance that is older than its record finds it', async () => {
    const post = await draft();
    const old = await stored(post);
    const { uri } = await post.publish();
    expect(await old.publish()).toMatchObject({ status: 'unchanged', uri });
    expect(old.atpUri).toBe(uri);
  });

  it('of an entity that is not saved fails, and says so', async () => {
    const post = Object.assign(new Post(), { content: 'Hello', user });
    expect(await post.publish()).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('save it first'),
    });
    post.id = 9_999;
    expect(await post.publish()).toMatchObject({
      status: 'failed',
      reason: 'Post 9999 is not in the database (or not committed yet); save it first.',
    });
  });
});

describe('in a transaction', () => {
  it('on the connection that all share nothing is published before the commit', async () => {
    const post = await draft();
    const { uri } = await post.publish();
    const inside = app.dataSource.transaction(async (manager) => {
      await manager.save(Object.assign(post, { content: 'Uncommitted' }));
      expect(await post.publish()).toMatchObject({
        status: 'failed',
        reason: `The transaction is not committed yet; publish Post ${post.id} after it.`,
        error: { code: 'INVALID_OPTIONS', entityName: 'Post', entityId: String(post.id) },
      });
      throw new Error('no');
    });
    await expect(inside).rejects.toThrow('no');
    expect(await text(uri!)).toBe('Hello');
  });
});

describe('republish()', () => {
  it('updates the record of a published entity', async () => {
    const post = await draft();
    const { uri } = await post.publish();
    expect((await post.republish()).status).toBe('unchanged');
    await edit(post, 'Better');
    expect(await post.republish()).toMatchObject({ status: 'published', uri, cid: post.atpCid });
    expect(await text(uri!)).toBe('Better');
  });

  it('of an unpublished entity fails', async () => {
    const post = await draft();
    const result = await post.republish();
    expect(result.isFailed()).toBe(true);
    expect(result.reason).toBe(`Post ${post.id} has no record; publish it first.`);
    expect(result.error).toBeInstanceOf(Error);
  });
});

describe('unpublish()', () => {
  it('deletes the record, and keeps the row', async () => {
    const post = await draft();
    const { uri } = await post.publish();
    expect(await post.unpublish()).toMatchObject({ status: 'unpublished', uri });
    expect(await network.getRecord(uri!)).toBeNull();
    expect(post).toMatchObject({ atpUri: null, atpCid: null, atpSyncedAt: null });
    expect(await stored(post)).toMatchObject({
      content: 'Hello',
      atpUri: null,
      atpCid: null,
      atpSyncedAt: null,
    });
  });

  it('of an unpublished entity changes nothing', async () => {
    const post = await draft();
    const result = await post.unpublish();
    expect([result.status, result.isSuccess(), post.atpRkey]).toEqual([
      'unchanged',
      true,
      (await stored(post)).atpRkey,
    ]);
  });

  it('makes the next record another one', async () => {
    const post = await draft();
    const { uri: first } = await post.publish();
    await post.unpublish();
    const { status, uri: second } = await post.publish();
    expect(status).toBe('published');
    expect(second).not.toBe(first);
    expect(second).toBe(`at://${alice.did}/app.bsky.feed.post/${(await stored(post)).atpRkey}`);
    expect([await text(first!), await text(second!)]).toEqual([undefined, 'Hello']);
  });
});

describe('publishAs()', () => {
  it('publishes in that account, where the record stays when the entity changes', async () => {
    const post = await draft();
    const { uri } = await post.publishAs(bob.did);
    expect(uri).toBe(`at://${bob.did}/app.bsky.feed.post/${post.atpRkey}`);
    await app.repository(Post).save(Object.assign(post, { status: 'published', content: 'By Bob' }));
    expect(post.atpUri).toBe(uri);
    expect(await text(uri!)).toBe('By Bob');
    expect(await network.getRecord(uri!.replace(bob.did, alice.did))).toBeNull();

    const fresh = await stored(post);
    await fresh.publish();
    expect(fresh.atpUri).toBe(uri);
    await app.repository(Post).remove(fresh);
    expect(await network.getRecord(uri!)).toBeNull();
  });

  it('of an entity that is published elsewhere fails, and leaves it there', async () => {
    const post = await draft();
    const { uri } = await post.publish();
    expect(await post.publishAs(bob.did)).toMatchObject({
      status: 'failed',
      reason: `Post ${post.id} is published at ${uri}; unpublish it before publishing it as ${bob.did}.`,
    });
    expect(await text(uri!)).toBe('Hello');
    await post.unpublish();
    expect((await post.publishAs(bob.did)).uri).toContain(bob.did);
  });

  it('of an entity that is published there updates it', async () => {
    const post = await draft();
    await post.publish();
    expect((await post.publishAs(alice.did)).status).toBe('unchanged');
  });
});

describe('ParityService', () => {
  it('does the same', async () => {
    const { parity } = app;
    const post = await draft();
    expect((await parity.publish(post)).status).toBe('published');
    await edit(post, 'Edited');
    expect((await parity.republish(post)).status).toBe('published');
    expect(await parity.toRecord(post)).toMatchObject({ $type: 'app.bsky.feed.post', text: 'Edited' });
    expect((await parity.unpublish(post)).status).toBe('unpublished');
    expect((await parity.publishAs(bob.did, post)).uri).toContain(bob.did);
  });
});
