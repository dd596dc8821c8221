import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import {
  AppPasswordSessionProvider,
  AtpRecordEntity,
  AutoSyncsWithAtp,
  parityEntities,
  RecordMapper,
} from 'nestjs-parity';
import { LocalNetwork, type Account } from 'nestjs-parity/testing';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { ParityApp } from '../support/parity-app.js';

@Entity()
@AutoSyncsWithAtp()
class Draft extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
  @Column() isPublic!: boolean;
  shouldAutoSync(): boolean {
    return this.isPublic;
  }
}

@Entity()
@AutoSyncsWithAtp()
class Page extends AtpRecordEntity {
  @PrimaryColumn() slug!: string;
  @Column() did!: string;
  @Column() text!: string;
}

class DraftMapper extends RecordMapper<Draft> {
  readonly entity = Draft;
  readonly collection = 'com.example.draft';
  toRecord = ({ text }: Draft): Record<string, unknown> => ({ text });
}
class PageMapper extends RecordMapper<Page> {
  readonly entity = Page;
  readonly collection = 'com.example.page';
  override rkey = ({ slug }: Page): string => slug;
  toRecord = ({ text }: Page): Record<string, unknown> => ({ text });
}

for (const database of databaseKinds) {
  describeDatabase(database)(`records of the same content (${database})`, () => {
    let network: LocalNetwork;
    let account: Account;
    let app: ParityApp;

    beforeAll(async () => {
      network = await LocalNetwork.start();
    });
    afterAll(() => network.stop());
    beforeEach(async () => {
      account = await network.createAccount({ handle: `same${Date.now()}.test` });
      app = await ParityApp.start({
        database,
        entities: [Draft, Page, ...parityEntities] as Function[],
        parity: {
          sessions: new AppPasswordSessionProvider({
            service: network.pdsUrl,
            accounts: [{ identifier: account.did, password: account.password }],
          }),
          pendingSyncs: { enabled: true, storage: 'database' },
          mappers: [DraftMapper, PageMapper],
        },
      });
    });
    afterEach(() => app.stop());

    const draft = (isPublic = true): Draft =>
      Object.assign(new Draft(), { did: account.did, text: 'hello', isPublic });
    const page = (slug: string): Page => Object.assign(new Page(), { did: account.did, text: 'hello', slug });
    const together = (work: () => Promise<unknown>) => app.parity.unitOfWork(work);

    /** Each record has its content, and there is one for each of these rows and no other. */
    const expectRecords = async (rows: readonly AtpRecordEntity[]): Promise<void> => {
      const uris = rows.map((row) => row.getAtpUri());
      const found = await Promise.all(uris.map((uri) => uri && network.getRecord(uri)));
      expect(found).toEqual(
        rows.map(() => expect.objectContaining({ value: expect.objectContaining({ text: 'hello' }) })),
      );
      const collections = [...new Set(uris.map((uri) => uri!.split('/')[3]!))];
      const listed = await Promise.all(collections.map((one) => network.listRecords(account.did, one)));
      expect(
        listed
          .flat()
          .map(({ uri }) => uri)
          .toSorted(),
      ).toEqual(uris.toSorted());
    };

    it('keeps an old draft that is published while its twin is removed', async () => {
      const drafts = app.repository(Draft);
      const [old, twin] = await drafts.save([draft(false), draft()]);
      await together(async () => {
        await drafts.save(Object.assign(old!, { isPublic: true }));
        await drafts.remove(twin!);
      });
      await expectRecords([await drafts.findOneByOrFail({ text: 'hello' })]);
    });

    it('keeps rows that replace rows of the same content', async () => {
      const drafts = app.repository(Draft);
      const old = await drafts.save([draft(), draft(), draft()]);
      await together(async () => {
        await drafts.remove(old);
        await drafts.save([draft(), draft(), draft()]);
      });
      await expectRecords(await drafts.find());
    });

    it('keeps a page whose row is replaced by one with a key that sorts before it', async () => {
      const pages = app.repository(Page);
      const zebra = await pages.save(page('zebra'));
      await together(async () => {
        await pages.remove(zebra);
        await pages.save(page('ape'));
      });
      await expectRecords(await pages.find());
    });
  });
}
