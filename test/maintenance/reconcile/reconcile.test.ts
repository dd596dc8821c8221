import { jest } from '@jest/globals';
import type { LocalNetwork } from 'nestjs-parity/testing';
import type { ReconcileProgress } from 'nestjs-parity';
import { databaseKinds, describeDatabase } from '../../support/databases.js';
import { sharedNetwork } from '../../support/shared-network.js';
import { Book, Library, Loan, mapping, Shelf } from './library.js';
import { partsOf } from '../../support/pending-parts.js';

let network: LocalNetwork;
let library: Library;

beforeAll(async () => {
  network = await sharedNetwork();
});
afterEach(async () => {
  mapping.prefix = '';
  await library.close();
});

for (const kind of databaseKinds) {
  describeDatabase(kind)(`reconcile (${kind})`, () => {
    beforeEach(async () => {
      library = await Library.open(network, kind);
    });

    const reconcile = (options = {}) => library.app.parity.reconcile(Book, options);
    const dids = (): Promise<string[]> => library.titles();

    async function insertRows(count: number): Promise<void> {
      const { driver } = library.app.dataSource;
      const [visible, shelf] = [driver.escape('visible'), driver.escape('shelfId')];
      const rows = Array.from(
        { length: count },
        (_, index) => `('book ${index}', TRUE, ${library.shelf.id})`,
      );
      await library.sql(`INSERT INTO book (title, ${visible}, ${shelf}) VALUES ${rows.join(', ')}`);
    }

    it('finds nothing where all is as it should be', async () => {
      await library.save('kept');
      const hidden = await library.save('hidden', { visible: false });
      await library.app.repository(Book).softRemove(await library.save('soft-deleted'));
      expect(await reconcile()).toMatchObject({
        checked: 3,
        creates: 0,
        updates: 0,
        deletes: 0,
        gone: 0,
        failed: 0,
        points: 0,
        minutes: 0,
        cursor: null,
      });
      expect(hidden.hasAtpRecord()).toBe(false);
      expect(await dids()).toEqual(['kept']);
    });

    it('deletes the records of rows that went with a foreign key cascade, or by raw SQL', async () => {
      await library.save('stays');
      const shelves = library.app.repository(Shelf);
      const shelf = await shelves.save(shelves.create({ did: library.did }));
      await library.save('goes with its shelf', { shelf });
      await library.save('goes by SQL');
      await shelves.delete(shelf.id);
      await library.sql("DELETE FROM book WHERE title = 'goes by SQL'");
      expect(await dids()).toHaveLength(3);

      expect(await reconcile()).toMatchObject({ checked: 1, deletes: 2, gone: 2, points: 2, cursor: null });
      await library.idle();
      expect(await dids()).toEqual(['stays']);
      expect(await reconcile()).toMatchObject({ deletes: 0, gone: 0 });
    });

    it('updates what raw SQL changed, and creates what it made eligible', async () => {
      const book = await library.save('before');
      await library.save('draft', { visible: false });
      await library.sql("UPDATE book SET title = 'after' WHERE title = 'before'");
      await library.sql('UPDATE book SET visible = TRUE');
      expect(await reconcile()).toMatchObject({ creates: 1, updates: 1, deletes: 0, points: 5 });
      await library.idle();
      expect(await dids()).toEqual(['after', 'draft']);
      expect((await library.find('after')).getAtpUri()).toBe(book.getAtpUri());
    });

    it('connects a table of 500 rows that is older than its record columns', async () => {
      await insertRows(500);
      const pages: ReconcileProgress[] = [];
      const result = await reconcile({ onProgress: (page: ReconcileProgress) => void pages.push(page) });
      expect(result).toMatchObject({ checked: 500, creates: 500, points: 1_500, minutes: 0, dryRun: false });
      expect([...new Set(pages.map(({ checked }) => checked))]).toEqual([200, 400, 500]);
      await library.idle();
      expect(await dids()).toHaveLength(500);
      const rows = await library.app.repository(Book).find();
      expect(new Set(rows.map((row) => row.getAtpUri())).size).toBe(500);
      expect(await reconcile()).toMatchObject({ creates: 0, updates: 0 });
    });

    it('a dry run counts, and touches nothing', async () => {
      await library.save('differs');
      await library.save('goes');
      await library.sql("DELETE FROM book WHERE title = 'goes'");
      await insertRows(3);
      mapping.prefix = 'new: ';
      const figures = { creates: 3, updates: 1, deletes: 1, gone: 1, points: 12, minutes: 0, dryRun: true };
      expect(await reconcile({ dryRun: true })).toMatchObject(figures);
      expect(await reconcile({ dryRun: true })).toMatchObject(figures);
      expect(await library.app.parity.stats()).toMatchObject({ pending: 0 });
      expect(await library.app.repository(Book).countBy({ atpRkey: '' })).toBe(0);
      expect((await library.find('book 0')).atpRkey).toBeNull();
      expect(await dids()).toEqual(['differs', 'goes']);
    });

    it('republishes with a new version of the mapper, and goes on where it was stopped', async () => {
      for (const title of ['a', 'b', 'c', 'd', 'e']) await library.save(title);
      await library.sql("DELETE FROM book WHERE title = 'e'");
      mapping.prefix = 'new: ';
      const stop = new AbortController();
      const first = await reconcile({ pageSize: 2, signal: stop.signal, onProgress: () => stop.abort() });
      expect(first).toMatchObject({ checked: 2, updates: 2 });
      await library.idle();
      expect(await dids()).toEqual(['c', 'd', 'e', 'new: a', 'new: b']);

      const second = await reconcile({ pageSize: 2, after: first.cursor });
      expect(second).toMatchObject({ checked: 2, updates: 2, deletes: 1, gone: 1, cursor: null });
      await library.idle();
      expect(await dids()).toEqual(['new: a', 'new: b', 'new: c', 'new: d']);
    });

    it('pages through the ledger too', async () => {
      for (const title of ['a', 'b', 'c', 'd', 'e']) await library.save(title);
      await library.sql("DELETE FROM book WHERE title <> 'c'");
      expect(await reconcile({ pageSize: 2 })).toMatchObject({ checked: 1, gone: 4 });
      await library.idle();
      expect(await dids()).toEqual(['c']);
    });

    it('pages by composite keys', async () => {
      const loans = library.app.repository(Loan);
      const { did } = library;
      for (const reader of ['ann', 'Bob', 'cy'])
        for (const year of [1, 2, 10]) await loans.save(loans.create({ reader, year, did }));
      const clear = library.app.dataSource.driver.escape('atpUri');
      await library.sql(`UPDATE loan SET ${clear} = NULL`);
      const result = await library.app.parity.reconcile(Loan, { pageSize: 2, dryRun: true });
      expect(result).toMatchObject({ checked: 9, creates: 9, gone: 0 });
    });

    it('deletes the records of what is no longer eligible where asked to', async () => {
      await library.save('hidden');
      await library.save('shown');
      await library.sql("UPDATE book SET visible = FALSE WHERE title <> 'shown'");
      expect(await reconcile()).toMatchObject({ deletes: 0 });
      expect(await library.app.parity.statusOf(await library.find('hidden'))).toMatchObject({
        status: 'not-eligible',
        uri: expect.stringContaining('com.example.book'),
      });
      expect(await reconcile({ unpublishIneligible: true })).toMatchObject({ deletes: 1, gone: 0 });
      await library.idle();
      expect(await dids()).toEqual(['shown']);
    });

    it('counts the entities whose mapper fails, and goes on', async () => {
      await insertRows(1);
      await library.sql("UPDATE book SET title = 'unmappable'");
      await insertRows(1);
      // Without a record nothing needs mapping: it is the worker that fails.
      const published = await library.save('mappable');
      await library.sql("UPDATE book SET title = 'unmappable' WHERE title = 'mappable'");
      expect(await reconcile()).toMatchObject({
        creates: 2,
        updates: 0,
        failed: 1,
        errors: [
          {
            entityName: 'Book',
            entityId: String(published.id),
            message: expect.stringContaining('no words'),
          },
        ],
      });
    });
  });
}

describe('reconcile', () => {
  it('leaves alone what is pending already', async () => {
    library = await Library.open(network, 'sqlite');
    const book = await library.save('kept');
    await library.app.parity.unpublish(book);
    const { atpRkey } = await library.save('also');
    await library.sql("UPDATE parity_ledger SET pending_since = 1, triggered_by = 'unpublish'");
    await library.sql("UPDATE book SET title = 'changed'");
    expect(await library.app.parity.reconcile(Book)).toMatchObject({ creates: 1, updates: 0, waiting: 1 });
    const [row] = (await library.sql(
      `SELECT triggered_by FROM parity_ledger WHERE rkey = '${atpRkey}'`,
    )) as object[];
    expect(row).toEqual({ triggered_by: 'unpublish' });
    await library.sql('UPDATE parity_ledger SET pending_since = NULL');
  });

  it('lets what became eligible under its hands have the last word', async () => {
    library = await Library.open(network, 'sqlite');
    const book = await library.save('shown again');
    await library.sql('UPDATE book SET visible = FALSE');
    const store = partsOf(library.app.module).store;
    const capture = store.capture.bind(store);
    jest.spyOn(store, 'capture').mockImplementationOnce(async (changes, runner) => {
      const left = await capture(changes, runner);
      await library.sql('UPDATE book SET visible = TRUE');
      return left;
    });
    await library.app.parity.reconcile(Book, { unpublishIneligible: true });
    await library.idle();
    expect((await network.getRecord(book.getAtpUri()!))?.value).toMatchObject({ title: 'shown again' });
  });

  it('syncs page by page without pending syncs', async () => {
    library = await Library.open(network, 'sqlite', { pendingSyncs: { enabled: false } });
    for (const title of ['a', 'b', 'c']) await library.save(title);
    mapping.prefix = 'new: ';
    expect(await library.app.parity.reconcile(Book, { pageSize: 2 })).toMatchObject({
      updates: 3,
      failed: 0,
    });
    expect(await library.titles()).toEqual(['new: a', 'new: b', 'new: c']);
  });

  it('enqueues with the cache storage, where nobody remembers what is gone', async () => {
    library = await Library.open(network, 'sqlite', { pendingSyncs: { storage: 'cache' } });
    for (const title of ['a', 'b']) await library.save(title);
    await library.sql("DELETE FROM book WHERE title = 'b'");
    mapping.prefix = 'new: ';
    expect(await library.app.parity.reconcile(Book)).toMatchObject({ updates: 1, deletes: 0 });
    await library.idle();
    expect(await library.titles()).toEqual(['b', 'new: a']);
  });

  it('says what it cannot do', async () => {
    library = await Library.open(network, 'sqlite');
    const { parity } = library.app;
    await expect(parity.reconcile(Shelf)).rejects.toThrow('Shelf is no marked entity');
    await expect(parity.reconcile(Book, { pageSize: 0 })).rejects.toThrow('pageSize');
    await expect(parity.reconcile(Book, { after: 'nonsense' })).rejects.toThrow('cursor of an earlier run');
    await expect(parity.reconcile(Book, { after: '["Loan","rows",null]' })).rejects.toThrow('one of Loan');
  });
});
