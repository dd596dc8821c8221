import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { passwordsOf } from '../support/sessions.js';

@Entity()
@AutoSyncsWithAtp()
class Draft extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
  @Column() isPublic!: boolean;
  override shouldAutoSync(): boolean {
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
      network = await sharedNetwork();
    });
    beforeEach(async () => {
      account = await network.createAccount({ handle: `same${Date.now()}.test` });
      app = await aParityApp({
        model: { entities: [Draft, Page], mappers: [DraftMapper, PageMapper] },
        sessions: passwordsOf(network.pdsUrl, account),
        database,
        storage: 'database',
      });
    });
    afterEach(() => app.stop());

    const draft = (isPublic = true): Draft =>
      Object.assign(new Draft(), { did: account.did, text: 'hello', isPublic });
    const page = (slug: string): Page => Object.assign(new Page(), { did: account.did, text: 'hello', slug });
    const together = (work: () => Promise<unknown>) => app.parity.unitOfWork(work);

    /** The at-uris of the records that can be read. */
    const records = async (collection: string): Promise<string[]> => {
      const listed = await network.listRecords(account.did, collection);
      const read = await Promise.all(listed.map(({ uri }) => network.getRecord(uri)));
      return read.flatMap((record) => record?.uri ?? []).toSorted();
    };
    const urisOf = (rows: readonly AtpRecordEntity[]) => rows.map((row) => row.getAtpUri()).toSorted();

    it('keeps an old draft that is published while its twin is removed', async () => {
      const drafts = app.repository(Draft);
      const [old, twin] = await drafts.save([draft(false), draft()]);
      await together(async () => {
        await drafts.save(Object.assign(old!, { isPublic: true }));
        await drafts.remove(twin!);
      });
      const [left] = await drafts.find();
      expect(await records('com.example.draft')).toEqual([left?.getAtpUri()]);
    });

    it('keeps rows that replace rows of the same content', async () => {
      const drafts = app.repository(Draft);
      const old = await drafts.save([draft(), draft(), draft()]);
      await together(async () => {
        await drafts.remove(old);
        await drafts.save([draft(), draft(), draft()]);
      });
      const rows = await drafts.find();
      expect(rows).toHaveLength(3);
      expect(await records('com.example.draft')).toEqual(urisOf(rows));
    });

    it('keeps a page whose row is replaced by one with a key that sorts before it', async () => {
      const pages = app.repository(Page);
      const zebra = await pages.save(page('zebra'));
      await together(async () => {
        await pages.remove(zebra);
        await pages.save(page('ape'));
      });
      expect(await records('com.example.page')).toEqual(urisOf(await pages.find()));
    });
  });
}
