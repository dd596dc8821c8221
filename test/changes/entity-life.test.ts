import type { Repository } from 'typeorm';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aBook, anAuthor, aNote, Author, Book, library, Note } from './library.js';
import { track, type Tracked } from './tracked.js';

for (const kind of databaseKinds) {
  describeDatabase(kind)(`the life of an entity (${kind})`, () => {
    let db: Tracked;
    let books: Repository<Book>;
    let author: Author;

    beforeAll(async () => {
      db = await track({ kind, ...library });
      books = db.dataSource.getRepository(Book);
      author = await db.dataSource.getRepository(Author).save(anAuthor({ name: 'Ann' }));
    });
    afterAll(() => db?.stop());
    beforeEach(() => void db.dispatcher.taken());

    const saved = async (values: Partial<Book> = {}): Promise<Book> => {
      const book = await books.save(aBook({ author, ...values }));
      db.dispatcher.taken();
      db.dispatcher.takenChanges();
      db.queries();
      return book;
    };

    it('tells insert, update, soft-remove, recover and remove, each once and after its commit', async () => {
      const book = await books.save(aBook({ author }));
      const id = `Book ${book.id}`;
      expect(db.dispatcher.taken()).toEqual([[id]]);
      await books.save(Object.assign(book, { title: 'Other' }));
      expect(db.dispatcher.taken()).toEqual([[id]]);
      await books.softRemove(book);
      expect(db.dispatcher.taken()).toEqual([[id]]);
      await books.recover(book);
      expect(db.dispatcher.taken()).toEqual([[id]]);
      await books.remove(book);
      expect(db.dispatcher.taken()).toEqual([[`-${id}`]]);
      expect(db.dispatcher.captured.splice(0)).toEqual([[id], [id], [id], [id], [`-${id}`]]);
      expect(db.warnings).toEqual([]);
    });

    it('dispatches nothing for a save that changes nothing', async () => {
      const book = await saved();
      await books.save(book);
      expect(db.dispatcher.taken()).toEqual([]);
    });

    it('publishes at the key that was reserved with the row, and unpublishes at it when the row goes', async () => {
      const book = await books.save(aBook({ author }));
      expect(book.atpRkey).toMatch(/^[234567a-z]{13}$/);
      const row = await books.findOneByOrFail({ id: book.id });
      expect(row.atpRkey).toBe(book.atpRkey);
      await books.remove(book);
      const address = { did: author.did, collection: 'com.example.book', rkey: row.atpRkey };
      expect(db.dispatcher.takenChanges()).toEqual([
        expect.objectContaining({ operation: 'publish', address, instance: book }),
        expect.objectContaining({ operation: 'unpublish', address, keepRecord: false }),
      ]);
    });

    it('hydrates a plain object, and shows it its record key', async () => {
      const plain = await books.save({ title: 'Plain', author });
      expect(plain).not.toBeInstanceOf(Book);
      const [change] = db.dispatcher.takenChanges();
      expect(change?.snapshot).toBeInstanceOf(Book);
      expect(change?.snapshot).toMatchObject({ title: 'Plain', pages: 0, author: { name: 'Ann' } });
      expect((plain as Book).atpRkey).toBe(change?.address.rkey);
    });

    it('loads what a partial save did not give, and what TypeORM nulls in memory', async () => {
      const { id } = await saved({ blurb: 'A blurb', pages: 7 });
      for (const partial of [
        { id, title: 'Partial' },
        books.create({ id, title: 'Again', pages: 7 }),
        Object.assign(books.create({ id, title: 'All but the blurb', pages: 7, author }), {
          createdAt: new Date(),
          version: 1,
        }),
      ]) {
        await books.save(partial);
        const [change] = db.dispatcher.takenChanges();
        expect(change?.snapshot).toMatchObject({
          title: partial.title,
          blurb: 'A blurb',
          author: { name: 'Ann' },
        });
      }
      expect((await books.findOneByOrFail({ id })).blurb).toBe('A blurb');
    });

    it('finds the account of a partial save in a nullable column that TypeORM nulls in memory', async () => {
      const notes = db.dataSource.getRepository(Note);
      const { id } = await notes.save(aNote({ did: author.did }));
      db.dispatcher.takenChanges();
      await notes.save(notes.create({ id, text: 'Partial' }));
      expect(db.dispatcher.takenChanges()).toEqual([
        expect.objectContaining({ address: expect.objectContaining({ did: author.did }) }),
      ]);
    });

    it('dispatches save([...many]) once, in one transaction', async () => {
      const many = await books.save([aBook({ author }), aBook({ author }), aBook({ author })]);
      expect(db.dispatcher.taken()).toEqual([many.map(({ id }) => `Book ${id}`)]);
      expect(new Set(many.map(({ atpRkey }) => atpRkey)).size).toBe(3);
    });

    it('dispatches several entity classes of one transaction together', async () => {
      const labels = await db.dataSource.transaction(async (tx) => {
        const book = await tx.save(aBook({ author }));
        const note = await tx.save(aNote({ book }));
        expect(db.dispatcher.taken()).toEqual([]);
        return [`Book ${book.id}`, `Note ${note.id}`];
      });
      expect(db.dispatcher.taken()).toEqual([labels]);
    });

    it('discards record columns that are given at insert, so a clone does not claim the record of its original', async () => {
      const original = await saved();
      const claimed = {
        atpUri: `at://${author.did}/com.example.book/x`,
        atpCid: 'bafy',
        atpSyncedAt: new Date(),
      };
      for (const clone of [
        await books.save({ ...original, ...claimed, id: undefined } as never),
        await books.save(books.create({ ...original, ...claimed, id: undefined } as never)),
      ]) {
        const row = await books.findOneByOrFail({ id: (clone as unknown as Book).id });
        expect(row).toMatchObject({ atpUri: null, atpCid: null, atpSyncedAt: null });
        expect(row.atpRkey).not.toBe(original.atpRkey);
        expect(clone).toMatchObject({ atpUri: null, atpRkey: row.atpRkey });
      }
    });

    it('does not let a stale instance wipe the record columns, nor mislead the resolver', async () => {
      const stale = await saved();
      const uri = `at://${author.did}/com.example.book/${stale.atpRkey}`;
      await books.query(
        `UPDATE book SET ${q('atpUri')} = '${uri}', ${q('atpCid')} = 'bafy' WHERE id = ${stale.id}`,
      );
      await books.save(Object.assign(stale, { title: 'Stale', atpUri: null, atpRkey: 'other' }));
      expect(await books.findOneByOrFail({ id: stale.id })).toMatchObject({
        title: 'Stale',
        atpUri: uri,
        atpCid: 'bafy',
      });
      expect(db.dispatcher.takenChanges()).toEqual([
        expect.objectContaining({ operation: 'republish', cid: 'bafy' }),
      ]);
      expect(stale.atpUri).toBe(uri);
    });

    it('gives a record key to a row from before its table had record columns', async () => {
      const book = await saved();
      await books.query(`UPDATE book SET ${q('atpRkey')} = NULL WHERE id = ${book.id}`);
      const old = await books.findOneOrFail({ where: { id: book.id }, relations: { author: true } });
      await books.save(Object.assign(old, { title: 'Old' }));
      const row = await books.findOneByOrFail({ id: book.id });
      expect(row.atpRkey).toMatch(/^[234567a-z]{13}$/);
      expect(db.dispatcher.takenChanges()[0]?.address.rkey).toBe(row.atpRkey);
      expect([row.version, row.updatedAt]).toEqual([old.version, old.updatedAt]);
    });

    it('runs one more query for an entity without a record whose owner is in another row', async () => {
      const book = await saved();
      await books.save(Object.assign(book, { title: 'Counted' }));
      const all = db.queries();
      expect(all.filter((sql) => sql.includes(`LEFT JOIN ${q('author')}`))).toHaveLength(1);
      db.detach();
      await books.save(Object.assign(book, { title: 'Counted again' }));
      expect(all).toHaveLength(db.queries().length + 1);
    });

    const q = (name: string): string => db.dataSource.driver.escape(name);
  });
}
