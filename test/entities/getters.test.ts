import { AtpRecordEntity } from 'nestjs-parity';

class Post extends AtpRecordEntity {}
const post = (fields: object = {}): Post => Object.assign(new Post(), fields);

const DID = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz';
const URI = `at://${DID}/app.bsky.feed.post/3jui7kd54zh2y`;
const CID = 'bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a';
const read = (entity: Post) => ({
  uri: entity.getAtpUri(),
  cid: entity.getAtpCid(),
  did: entity.getAtpDid(),
  collection: entity.getAtpCollection(),
  rkey: entity.getAtpRkey(),
  syncedAt: entity.getAtpSyncedAt(),
});
const nothing = { uri: null, cid: null, did: null, collection: null, rkey: null, syncedAt: null };

describe('the getters of an entity', () => {
  it('give the uri, the CID and the times of its record', () => {
    const atpSyncedAt = new Date(0);
    expect(read(post({ atpUri: URI, atpCid: CID, atpRkey: 'other', atpSyncedAt }))).toEqual({
      uri: URI,
      cid: CID,
      did: DID,
      collection: 'app.bsky.feed.post',
      rkey: '3jui7kd54zh2y',
      syncedAt: atpSyncedAt,
    });
  });

  it('give null for an entity without a record', () => {
    expect(read(post())).toEqual(nothing);
    expect(read(post({ atpUri: null, atpCid: null, atpRkey: null, atpSyncedAt: null }))).toEqual(nothing);
    // A key is reserved before there is a record.
    expect(read(post({ atpRkey: '3jui7kd54zh2y' }))).toEqual(nothing);
  });

  it.each<unknown>([
    '',
    'at://',
    'at://alice.test/app.bsky.feed.post/3jui7kd54zh2y',
    `at://${DID}`,
    `at://${DID}/app.bsky.feed.post`,
    `at://${DID}/post/3jui7kd54zh2y`,
    `at://${DID}/app.bsky.feed.post/3jui7kd54zh2y/more`,
    `at://${DID}/app.bsky.feed.post/..`,
    `${URI} `,
    'https://bsky.app/profile/alice.test',
    42,
    {},
    Symbol('uri'),
  ])('give null for the malformed at-uri %p', (atpUri) => {
    expect(read(post({ atpUri }))).toEqual(nothing);
  });

  it.each<unknown>(['nope', CID.slice(0, -1), CID.toUpperCase(), ` ${CID}`, 5, {}])(
    'give null for the malformed CID %p',
    (atpCid) => expect(post({ atpCid }).getAtpCid()).toBeNull(),
  );

  it.each<unknown>([new Date('never'), 'yesterday', 0, {}])('give null for the malformed time %p', (time) =>
    expect(post({ atpSyncedAt: time }).getAtpSyncedAt()).toBeNull(),
  );

  it('say that there is a record as soon as a uri is set', () => {
    expect([post(), post({ atpUri: null }), post({ atpUri: '' })].map((one) => one.hasAtpRecord())).toEqual([
      false,
      false,
      false,
    ]);
    expect(post({ atpUri: URI }).hasAtpRecord()).toBe(true);
    expect(post({ atpUri: 'malformed' }).hasAtpRecord()).toBe(true);
  });
});
