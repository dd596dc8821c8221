import type { EntitySubscriberInterface, Repository } from 'typeorm';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aBook, anAuthor, Author, Book, library } from './library.js';
import { track, type Tracked } from './tracked.js';

for (const kind of databaseKinds) {
  describeDatabase(kind)(`options of save() (${kind})`, () => {
    let db: Tracked;
    let books: Repository<Book>;
    let author: Author;

    beforeAll(async () => {
      db = await track({ kind, ...library, extra: { poolSize: 1 } });
      books = db.dataSource.getRepository(Book);
      author = await db.dataSource.getRepository(Author).save(anAuthor());
    });
    afterAll(() => db?.stop());
    beforeEach(() => {
      db.dispatcher.taken();
      db.dispatcher.takenChanges();
    });

    it('sees save(x, { data })', async () => {
      const book = await books.save(aBook(), { data: { mine: true } });
      expect(db.dispatcher.taken()).toEqual([[`Book ${book.id}`]]);
    });

    it('sees save(x, { transaction: false }), which is captured in a transaction all the same', async () => {
      db.dispatcher.captured.splice(0);
      const [one, two] = await books.save([aBook(), aBook()], { transaction: false });
      expect(db.dispatcher.taken()).toEqual([[`Book ${one!.id}`, `Book ${two!.id}`]]);
      expect(db.dispatcher.captured.splice(0)).toEqual([[`Book ${one!.id}`, `Book ${two!.id}`]]);
      await books.remove(two!, { transaction: false });
      expect(db.dispatcher.taken()).toHaveLength(1);
      expect(db.dispatcher.captured).toHaveLength(1);
    });

    it('does not see save(x, { listeners: false }), and nothing of it leaks into the next transaction', async () => {
      const unseen = await books.save(aBook(), { listeners: false });
      expect(unseen.atpRkey).toBeNull();
      expect(db.dispatcher.taken()).toEqual([]);
      const seen = await books.save(aBook());
      expect(db.dispatcher.taken()).toEqual([[`Book ${seen.id}`]]);
      await books.remove(unseen, { listeners: false });
      expect(db.dispatcher.taken()).toEqual([]);
    });

    it('dispatches save([...], { chunk }) once', async () => {
      const many = await books.save([aBook(), aBook(), aBook(), aBook(), aBook()], { chunk: 2 });
      expect(db.dispatcher.taken()).toEqual([many.map(({ id }) => `Book ${id}`)]);
    });

    it('finds the rows of save(x, { reload: false }), which has no id', async () => {
      const two = [aBook({ author, blurb: 'one' }), aBook({ author, blurb: 'two' })];
      await books.save(two, { reload: false });
      const rows = await books.findBy(two.map(({ title }) => ({ title })));
      expect(db.dispatcher.taken().map((batch) => batch.toSorted())).toEqual([
        rows.map(({ id }) => `Book ${id}`).toSorted(),
      ]);
      expect(
        db.dispatcher
          .takenChanges()
          .map(({ address }) => address.rkey)
          .toSorted(),
      ).toEqual(rows.map(({ atpRkey }) => atpRkey).toSorted());
      expect(db.warnings).toEqual([]);
    });

    it('does not trust an instance that reload: false has left older than its row', async () => {
      const { id } = await books.save(aBook({ author }));
      const book = await books.findOneOrFail({ where: { id }, relations: { author: true } });
      await books.save(Object.assign(book, { title: 'Not reloaded' }), { reload: false });
      await books.softRemove(book, { reload: false });
      expect(
        db.dispatcher
          .takenChanges()
          .slice(-2)
          .map(({ snapshot }) => snapshot),
      ).toEqual([
        expect.objectContaining({ version: 2 }),
        expect.objectContaining({ deletedAt: expect.any(Date) }),
      ]);
    });

    it('sees the writes of a subscriber inside a write by criteria', async () => {
      const { id } = await books.save(aBook());
      const other = await books.save(aBook());
      db.dispatcher.taken();
      const subscriber: EntitySubscriberInterface<Book> = {
        listenTo: () => Book,
        async afterUpdate({ manager, databaseEntity }) {
          if (!databaseEntity) await manager.save(Object.assign(other, { title: 'By a subscriber' }));
        },
      };
      db.dataSource.subscribers.push(subscriber);
      await books.update(id, { title: 'By criteria' });
      db.dataSource.subscribers.splice(db.dataSource.subscribers.indexOf(subscriber), 1);
      expect(db.dispatcher.taken().flat().toSorted()).toEqual([`Book ${id}`, `Book ${other.id}`].toSorted());
    });

    it('leaves the statements of unmarked entities as they are', async () => {
      const authors = db.dataSource.getRepository(Author);
      const life = async (): Promise<string[]> => {
        db.queries();
        const ann = await authors.save({ name: 'Ann' });
        await authors.save(Object.assign(ann, { name: 'Bea' }));
        await authors.update(ann.id, { name: 'Cleo' });
        await authors.insert({ name: 'Dora' });
        await db.dataSource.transaction((tx) => tx.increment(Author, { id: ann.id }, 'id', 0));
        await authors.delete({ name: 'Dora' });
        await authors.remove(ann);
        return db.queries().map((query) => query.replace(/= \d+/g, '= n'));
      };
      const tracked = await life();
      db.detach();
      expect(tracked).toEqual(await life());
      expect(db.dispatcher.taken()).toEqual([]);
    });
  });
}

describe('detaching', () => {
  it('restores the DataSource, also for managers that the application still holds', async () => {
    const db = await track(library);
    const otherSubscriber: EntitySubscriberInterface = {};
    db.dataSource.subscribers.push(otherSubscriber);
    const runner = db.dataSource.createQueryRunner();
    db.detach();
    db.detach();
    expect(db.dataSource.subscribers).toEqual([otherSubscriber]);
    for (const object of [db.dataSource.manager, db.dataSource]) {
      for (const name of ['save', 'update', 'insert', 'transaction', 'clear', 'createEntityManager'])
        expect(Object.hasOwn(object, name)).toBe(false);
    }
    const book = await runner.manager.save(aBook());
    await runner.manager.update(Book, book.id, { pages: 1 });
    await runner.manager.delete(Book, { id: book.id });
    expect(db.dispatcher.taken()).toEqual([]);
    await db.stop();
  });
});
