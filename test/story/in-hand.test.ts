import { AtpMapper, AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import { AfterLoad, Column, Entity, PrimaryColumn, type Repository } from 'typeorm';
import { FaultyNetwork } from '../support/faulty-network.js';
import { describeDatabase } from '../support/databases.js';
import { Item, Member, membership } from '../support/entities/membership.js';
import { together } from '../support/entities/model.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

@Entity()
@AutoSyncsWithAtp()
class Page extends AtpRecordEntity {
  @PrimaryColumn() id!: number;
  @Column() title!: string;
  @Column() owner!: string;
  slug!: string;
  did!: string;

  @AfterLoad() compute(): void {
    this.slug = this.title.toLowerCase();
    this.did = this.owner;
  }
}

@AtpMapper()
class PageMapper extends RecordMapper<Page> {
  readonly entity = Page;
  readonly collection = 'com.example.page';

  toRecord({ slug }: Page): Record<string, unknown> {
    return { text: slug };
  }
}

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

const storages = [
  ['sqlite', 'database'],
  ['sqlite', 'cache'],
  ['sqlite', 'none'],
  ['postgres', 'database'],
] as const;

for (const [kind, storage] of storages) {
  describeDatabase(kind)(`an instance that is older than its row (${kind}, ${storage})`, () => {
    let app: ParityApp;
    let items: Repository<Item>;
    let user: Member;
    let did: string;

    beforeEach(async () => {
      const account = await signedIn(servers);
      ({ did } = account);
      app = await aParityApp({
        model: together(membership, { entities: [Page], mappers: [PageMapper] }),
        sessions: account.sessions,
        database: kind,
        storage,
      });
      items = app.repository(Item);
      user = await app.repository(Member).save({ id: 1, did, active: true });
    });
    afterEach(() => app.stop());

    const records = async (name = 'item'): Promise<unknown[]> => {
      if (storage === 'database') await until(async () => !(await app.parity.hasPendingSyncs(did)));
      const found = await servers.network.listRecords(did, `com.example.${name}`);
      return found.map(({ value }) => value['text']);
    };
    const item = (more: object): Item =>
      items.create({ id: 1, text: 'one', publishAt: null, user, ...more } as Item);

    it('is no draft, if only its copy of the owner is out of date', async () => {
      await app.repository(Member).update(1, { active: false });
      await items.save(item({ user: { ...user, active: false } }));
      await items.manager.transaction(async (inside) => {
        const found = await inside.findOneOrFail(Item, { where: { id: 1 }, relations: { user: true } });
        await inside.update(Member, 1, { active: true });
        await inside.save(Object.assign(found, { text: 'two' }));
      });
      expect(await records()).toEqual(['two']);
    });

    it('is no draft, if it has a string for a date', async () => {
      const saved = await items.save(item({ publishAt: '2020-01-01T00:00:00.000Z' }));
      expect(saved.publishAt).not.toBeInstanceOf(Date);
      expect(await records()).toEqual(['one']);
    });

    it('is not unchanged, if an edit in it was rolled back to a savepoint', async () => {
      await items.save(item({}));
      const found = await items.findOneOrFail({ where: { id: 1 }, relations: { user: true } });
      await items.manager.transaction(async (manager) => {
        await manager.save(Object.assign(found, { text: 'two' }));
        const nested = manager.transaction(async (inner) => {
          await inner.save(Object.assign(found, { text: 'one' }));
          throw new Error('no');
        });
        await expect(nested).rejects.toThrow('no');
      });
      expect(await records()).toEqual(['two']);
    });

    it('is published as its load hooks make it of the stored row', async () => {
      const pages = app.repository(Page);
      const page = await pages.save(pages.create({ id: 1, title: 'One', owner: did }));
      expect(await records('page')).toEqual(['one']);
      await pages.save(Object.assign(page, { title: 'Two', slug: 'one' }));
      expect(await records('page')).toEqual(['two']);
    });
  });
}
