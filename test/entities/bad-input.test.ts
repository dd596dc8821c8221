import type { AppBskyFeedPost } from '@atproto/api';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import {
  AtpRecordEntity,
  AutoSyncsWithAtp,
  InvalidRecordError,
  MapperError,
  OAuthSessionInvalidError,
  PdsUnavailableError,
  RecordMapper,
  SyncFailed,
} from 'nestjs-parity';
import { LocalNetwork, type Account } from 'nestjs-parity/testing';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { passwordsOf } from '../support/sessions.js';

@Entity()
@AutoSyncsWithAtp()
class Post extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
}

class PostMapper extends RecordMapper<Post, AppBskyFeedPost.Record> {
  readonly entity = Post;
  readonly collection = 'app.bsky.feed.post';
  toRecord({ text }: Post) {
    if (text === 'throw') throw new Error('no such language');
    const langs = text === 'invalid' ? Array<string>(10).fill('en') : ['en'];
    return { text, langs, createdAt: text === 'undated' ? 'yesterday' : '2026-01-01T00:00:00.000Z' };
  }
}

let network: LocalNetwork;
let alice: Account;
let app: ParityApp;

beforeAll(async () => {
  network = await LocalNetwork.start();
  alice = await network.createAccount({ handle: 'alice.test' });
  app = await aParityApp({
    model: { entities: [Post], mappers: [PostMapper] },
    sessions: passwordsOf(network.pdsUrl, alice),
  });
});
afterAll(async () => {
  await app?.stop();
  await network?.stop();
});
beforeEach(() => {
  app.taken(SyncFailed);
  app.log.lines.length = 0;
});

const post = (fields: Partial<Post> = {}): Post =>
  Object.assign(new Post(), { did: alice.did, text: 'Hello', ...fields });
const save = (fields: Partial<Post> = {}): Promise<Post> => app.repository(Post).save(post(fields));

/** What was told of the one failure: the event's error. The row is there all the same, and the caller's instance is as before. */
async function failure(saved: Post): Promise<Error> {
  const [event, ...others] = app.taken(SyncFailed);
  expect(others).toEqual([]);
  expect(event).toMatchObject({ entityName: 'Post', entityId: String(saved.id), willRetry: false });
  expect(await app.repository(Post).findOneByOrFail({ id: saved.id })).toMatchObject({
    text: saved.text,
    atpUri: null,
    atpRkey: saved.atpRkey,
  });
  expect(app.log.lines).toEqual([
    expect.stringContaining(`of Post ${saved.id} failed: ${event?.error.message}`),
  ]);
  return event!.error;
}

describe('the row survives, and the error says what to do, for', () => {
  it('a DID that nobody knows, which the caller is told', async () => {
    const stranger = post({ did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' });
    const error: unknown = await app
      .repository(Post)
      .save(stranger)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(OAuthSessionInvalidError);
    expect(error).toMatchObject({ did: stranger.did, entityName: 'Post', committed: true });
    expect((error as Error).message).toMatch(/no credentials for did:plc:a+: add the account/);
    expect(await failure(stranger)).toBe(error);
    await expect(stranger.publish()).rejects.toThrow(OAuthSessionInvalidError);
  });

  it('a malformed DID', async () => {
    const entity = await save({ did: 'alice.test' });
    const error = await failure(entity);
    expect(error).toBeInstanceOf(MapperError);
    expect(error.message).toMatch(/syncAsDid\(\).*Post \d+: 'alice\.test' is no DID/);
    expect((await entity.publish()).reason).toBe(error.message);
  });

  it('a malformed DID in publishAs()', async () => {
    const entity = post({ id: 1 });
    for (const did of ['alice.test', '', 'did:', 'did:plc:x y', `at://${alice.did}`]) {
      expect(await entity.publishAs(did)).toMatchObject({
        status: 'failed',
        reason: `'${did}' is no DID; it looks like did:plc:… or did:web:….`,
      });
    }
  });

  it('a record that is too large', async () => {
    const error = await failure(await save({ text: 'x'.repeat(1_100_000) }));
    expect(error).toBeInstanceOf(InvalidRecordError);
    expect(error.message).toMatch(/too large.* 1,1\d\d,\d\d\d bytes.*1,000,000\. Shorten it, or .* blob/);
  });

  it.each([
    ['a list that is too long', 'invalid', /\$\.langs/],
    ['a time that is none', 'undated', /\$\.createdAt/],
  ])('a record that its lexicon forbids: %s', async (_what, text, path) => {
    const entity = await save({ text });
    const error = await failure(entity);
    expect(error).toBeInstanceOf(InvalidRecordError);
    expect(error).toMatchObject({ did: alice.did, entityName: 'Post', path: expect.stringMatching(path) });
    expect(error.message).toMatch(/The PDS refuses the record .*Correct what the mapper gives/);
    expect(error.message).not.toContain('yesterday');
    expect(await entity.publish()).toMatchObject({ status: 'failed', error: { code: 'INVALID_RECORD' } });
  });

  it('a mapper that throws', async () => {
    const entity = await save({ text: 'throw' });
    const error = await failure(entity);
    expect(error).toBeInstanceOf(MapperError);
    expect(error.message).toBe(`PostMapper.toRecord() failed for Post ${entity.id}: no such language`);
    await expect(entity.toAtpRecord()).rejects.toThrow(error.message);
  });

  it('a PDS that cannot be reached, and the next save publishes it', async () => {
    await network.stopPds();
    let entity: Post;
    try {
      entity = await save({ text: 'outage' });
      const error = await failure(entity);
      expect(error).toBeInstanceOf(PdsUnavailableError);
      expect(error.message).toMatch(
        /cannot be used for did:plc:\w+ now: it cannot be reached \(ECONNREFUSED\)/,
      );
    } finally {
      await network.startPds();
    }
    await app.repository(Post).save(Object.assign(entity, { text: 'back' }));
    expect((await network.getRecord(entity.atpUri!))?.value).toMatchObject({ text: 'back' });
  });

  it('a malformed at-uri in the column, which counts as no record', async () => {
    const entity = await save();
    const uri = entity.atpUri!;
    await app.dataSource.query(`UPDATE post SET atpUri = 'nonsense' WHERE id = ?`, [entity.id]);
    const found = await app.repository(Post).findOneByOrFail({ id: entity.id });
    expect([found.hasAtpRecord(), found.getAtpUri()]).toEqual([true, null]);
    await app.repository(Post).save(Object.assign(found, { text: 'healed' }));
    expect(found.atpUri).toBe(uri);
    expect((await network.getRecord(uri))?.value).toMatchObject({ text: 'healed' });
  });

  it('several entities at once: the ones that are right are published', async () => {
    const posts = await app
      .repository(Post)
      .save([post({ text: 'invalid' }), post(), post({ text: 'throw' })]);
    expect(posts.map((one) => one.hasAtpRecord())).toEqual([false, true, false]);
    const failures = app.taken(SyncFailed).map(({ entityId, error }) => [entityId, error.constructor.name]);
    expect(Object.fromEntries(failures)).toEqual({
      [String(posts[0]!.id)]: 'InvalidRecordError',
      [String(posts[2]!.id)]: 'MapperError',
    });
  });
});
