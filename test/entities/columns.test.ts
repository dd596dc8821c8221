import { Column, DataSource, Entity, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import {
  AtpCid,
  AtpRecordEntity,
  AtpRkey,
  AtpSyncedAt,
  AtpUri,
  AutoSyncsWithAtp,
  HasAtpRecord,
  ParityOptionsError,
  PublishesRecords,
  RecordMapper,
  whereHasNoRecord,
  whereHasRecord,
  whereRecordUri,
  withAtpRecord,
  type EntityClass,
} from 'nestjs-parity';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { passwordsOf } from '../support/sessions.js';

abstract class Titled {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ default: '' }) title!: string;

  shout(): string {
    return this.title.toUpperCase();
  }
}

@Entity()
class Person {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() name!: string;
}

/** Has a base class already. */
@Entity()
@AutoSyncsWithAtp()
class Song extends withAtpRecord(Titled) {
  @Column() did!: string;
}

/** Has properties of other names, columns of other names, and no base class. */
@Entity()
@AutoSyncsWithAtp<Photo>({ syncAsDid: ({ did }) => did })
class Photo {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column() did!: string;
  @Column() title!: string;
  @AtpUri() link!: string | null;
  @AtpCid({ name: 'content_hash' }) hash!: string | null;
  @AtpRkey({ name: 'record_key' }) key!: string | null;
  @AtpSyncedAt() seen!: Date | null;
}

@Entity()
@PublishesRecords()
class Page extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() title!: string;
  @ManyToOne(() => Person) author!: Person;
}

@Entity()
@HasAtpRecord()
class Bookmark extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
}

const mapperOf = (entity: EntityClass<{ title: string }>): new () => RecordMapper<{ title: string }> =>
  class TitleMapper extends RecordMapper<{ title: string }> {
    readonly entity = entity;
    readonly collection = 'com.example.title';
    toRecord({ title }: { title: string }): Record<string, unknown> {
      return { title };
    }
  };
class PageMapper extends RecordMapper<Page> {
  readonly entity = Page;
  readonly collection = 'com.example.page';
  override readonly relations = { author: true };
  toRecord({ title, author }: Page): Record<string, unknown> {
    return { title, by: author.name };
  }
}

let network: LocalNetwork;
let alice: Account;
let app: ParityApp;

beforeAll(async () => {
  network = await sharedNetwork();
  alice = await network.createAccount({ handle: 'alice.test' });
  app = await aParityApp({
    model: {
      entities: [Person, Song, Photo, Page, Bookmark],
      mappers: [mapperOf(Song), mapperOf(Photo), PageMapper],
    },
    sessions: passwordsOf(network.pdsUrl, alice),
  });
});
afterAll(async () => {
  await app?.stop();
});

const song = (title: string): Song => Object.assign(new Song(), { did: alice.did, title });

describe('withAtpRecord(Base)', () => {
  it('keeps the columns and methods of the base, and adds those of a record', async () => {
    const saved = await app.repository(Song).save(song('yesterday'));
    expect(saved).toBeInstanceOf(Titled);
    expect([saved.shout(), saved.getAtpCollection()]).toEqual(['YESTERDAY', 'com.example.title']);
    const found = await app.repository(Song).findOneByOrFail({ id: saved.id });
    expect(found).toEqual(saved);
    expect((await network.getRecord(found.atpUri!))?.value).toMatchObject({ title: 'yesterday' });
    expect(await found.unpublish()).toMatchObject({ status: 'unpublished' });
  });

  it('leaves the base without a record', () => {
    expect(Object.getOwnPropertyNames(Titled.prototype)).toEqual(['constructor', 'shout']);
  });
});

describe('the column decorators', () => {
  it('serve properties of any name, without a base class, through ParityService', async () => {
    const photos = app.repository(Photo);
    const photo = await photos.save({ did: alice.did, title: 'sea' } as Photo);
    expect(photo.link).toBe(`at://${alice.did}/com.example.title/${photo.key}`);
    expect(photo.seen).toBeInstanceOf(Date);
    const found = await photos.findOneByOrFail({ id: photo.id });
    expect(found).toMatchObject({ link: photo.link, hash: photo.hash, key: photo.key });
    expect(await app.parity.publish(found)).toMatchObject({ status: 'unchanged', uri: photo.link });
    expect(await app.parity.toRecord(found)).toMatchObject({ title: 'sea' });
    expect((await app.parity.unpublish(found)).status).toBe('unpublished');
    expect([found.link, found.hash, found.seen]).toEqual([null, null, null]);
    expect(found.key).not.toBe(photo.key);
  });
});

describe('the record columns belong to the module', () => {
  it('what is given at insert is discarded, so a copy does not claim the record of the original', async () => {
    const songs = app.repository(Song);
    const original = await songs.save(song('one'));
    const { id: _id, ...fields } = original;
    const copy = await songs.save(songs.create(fields));
    expect(copy.atpUri).not.toBe(original.atpUri);
    expect(copy.atpRkey).not.toBe(original.atpRkey);
    expect((await network.getRecord(original.atpUri!))?.cid).toBe(original.atpCid);
  });

  it('what is assigned later is not stored, so an old instance does not wipe them', async () => {
    const songs = app.repository(Song);
    const { id, atpUri, atpRkey } = await songs.save(song('two'));
    await songs.save(Object.assign(new Song(), { id, title: 'three', atpUri: null, atpRkey: 'mine' }));
    expect(await songs.findOneByOrFail({ id })).toMatchObject({ title: 'three', atpUri, atpRkey });
    expect((await network.getRecord(atpUri!))?.value).toMatchObject({ title: 'three' });
  });

  it('an instance that was older shows them as they are after it was saved', async () => {
    const songs = app.repository(Song);
    const { id, atpUri, atpCid } = await songs.save(song('four'));
    const old = Object.assign(new Song(), { id, title: 'four', atpUri: null, atpCid: null });
    await songs.save(old);
    expect(await old.publish()).toMatchObject({ status: 'unchanged' });
    expect(old).toMatchObject({ atpUri, atpCid });
  });
});

describe('the where helpers find entities', () => {
  it('with a record, without one, and by its uri', async () => {
    const songs = app.repository(Song);
    await songs.clear();
    const published = await songs.save(song('published'));
    const other = await songs.save(song('other'));
    await other.unpublish();
    const titles = async (where: object) => (await songs.findBy(where)).map(({ title }) => title);
    expect(await titles(whereHasRecord(Song))).toEqual(['published']);
    expect(await titles(whereHasNoRecord(Song))).toEqual(['other']);
    expect(await titles(whereRecordUri(Song, published.atpUri!))).toEqual(['published']);
    expect(await titles({ ...whereHasRecord(Song), title: 'other' })).toEqual([]);
  });

  it('in columns of other names, too', async () => {
    const photos = app.repository(Photo);
    const photo = await photos.save({ did: alice.did, title: 'hill' } as Photo);
    expect(await photos.findOneBy(whereRecordUri(Photo, photo.link!))).toMatchObject({ title: 'hill' });
  });

  it('or refuse a class that has no uri column', () => {
    expect(() => whereHasRecord(Person)).toThrow(ParityOptionsError);
    expect(() => whereHasRecord(Person)).toThrow(/Person has no uri column\. Extend AtpRecordEntity/);
  });
});

describe('toAtpRecord()', () => {
  it('is null for an entity without a mapper', async () => {
    const bookmark = await app.repository(Bookmark).save(new Bookmark());
    expect(await bookmark.toAtpRecord()).toBeNull();
  });

  it('loads the relations that the mapper needs, and keeps what the instance has unsaved', async () => {
    const { manager } = app.module.get(DataSource);
    const author = await manager.save(Object.assign(new Person(), { did: alice.did, name: 'Alice' }));
    const { id } = await manager.save(Object.assign(new Page(), { title: 'first', author }));
    const page = await manager.findOneByOrFail(Page, { id });
    expect(page.author).toBeUndefined();
    page.title = 'unsaved';
    expect(await page.toAtpRecord()).toEqual({ $type: 'com.example.page', title: 'unsaved', by: 'Alice' });
    expect(page.author).toBeUndefined();
  });

  it('works on an entity that is not saved', async () => {
    const author = Object.assign(new Person(), { id: 1, did: alice.did, name: 'Alice' });
    const page = Object.assign(new Page(), { title: 'new', author });
    expect(await page.toAtpRecord()).toMatchObject({ title: 'new', by: 'Alice' });
  });
});
