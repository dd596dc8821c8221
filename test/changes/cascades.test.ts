import type { EntitySubscriberInterface, Repository } from 'typeorm';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aBook, anAuthor, aNote, Author, Book, library, Note } from './library.js';
import { track, type Tracked } from './tracked.js';

for (const kind of databaseKinds) {
  describeDatabase(kind)(`cascades and inverse sides (${kind})`, () => {
    let db: Tracked;
    let authors: Repository<Author>;
    let books: Repository<Book>;
    let notes: Repository<Note>;

    beforeAll(async () => {
      db = await track({ kind, ...library, onBulkWrite: 'throw', extra: { poolSize: 1 } });
      authors = db.dataSource.getRepository(Author);
      books = db.dataSource.getRepository(Book);
      notes = db.dataSource.getRepository(Note);
    });
    afterAll(() => db?.stop());
    beforeEach(() => {
      db.dispatcher.taken();
      db.dispatcher.takenChanges();
    });

    const taken = (): string[][] => db.dispatcher.taken().map((batch) => [...new Set(batch)].toSorted());

    it('sees entities that are inserted and updated by cascade from an unmarked one', async () => {
      const author = await authors.save(anAuthor({ books: [aBook(), aBook()] }));
      const [one, two] = author.books;
      expect(taken()).toEqual([[`Book ${one!.id}`, `Book ${two!.id}`].toSorted()]);
      expect(db.dispatcher.takenChanges().map(({ address }) => address.rkey)).toEqual([
        one!.atpRkey,
        two!.atpRkey,
      ]);
      one!.title = 'Changed';
      await authors.save(author);
      expect(taken()).toEqual([[`Book ${one!.id}`]]);
    });

    it('sees what a hook writes from the other side of a relation during a save', async () => {
      const [author, one, other] = [
        await authors.save(anAuthor()),
        ...(await notes.save([aNote(), aNote()])),
      ];
      const hook: EntitySubscriberInterface<Note> = {
        listenTo: () => Note,
        afterUpdate: async ({ entity, manager }) => {
          if (entity?.['text'] === 'hooked')
            await manager.save(Author, { id: author.id, notes: [{ id: other!.id }] });
        },
      };
      db.dataSource.subscribers.push(hook);
      taken();
      await notes.save(Object.assign(one!, { text: 'hooked' }));
      db.dataSource.subscribers.pop();
      expect(taken()).toEqual([[`Note ${one!.id}`, `Note ${other!.id}`].toSorted()]);
    });

    it('sees entities that are removed as orphans', async () => {
      const author = await authors.save(anAuthor({ books: [aBook(), aBook()] }));
      const [one, two] = author.books;
      db.dispatcher.taken();
      db.dispatcher.takenChanges();
      author.books = [one!];
      await authors.save(author);
      expect(taken()).toEqual([[`-Book ${two!.id}`]]);
      expect(db.dispatcher.takenChanges()).toEqual([
        expect.objectContaining({
          operation: 'unpublish',
          address: expect.objectContaining({ rkey: two!.atpRkey }),
        }),
      ]);
    });

    it('sees entities that are removed by cascade with their parent', async () => {
      const book = await books.save(aBook({ author: await authors.save(anAuthor()) }));
      const note = await notes.save(aNote({ book }));
      db.dispatcher.taken();
      const labels = [`-Book ${book.id}`, `-Note ${note.id}`];
      await books.remove(await books.findOneOrFail({ where: { id: book.id }, relations: { notes: true } }));
      expect(taken()).toEqual([labels]);
    });

    it('sees entities that are attached and detached from the inverse side only', async () => {
      const [one, two, other] = await notes.save([aNote(), aNote(), aNote()]);
      const author = await authors.save(anAuthor());
      db.dispatcher.taken();
      await authors.save({ id: author.id, notes: [{ id: one!.id }, { id: two!.id }] });
      expect(taken()).toEqual([[`Note ${one!.id}`, `Note ${two!.id}`].toSorted()]);
      expect(await notes.countBy({ author: { id: author.id } })).toBe(2);

      await db.dataSource.transaction(async (tx) => {
        await tx.save(Author, { id: author.id, notes: [{ id: two!.id }, { id: other!.id }] });
      });
      expect(taken()).toEqual([[`Note ${one!.id}`, `Note ${other!.id}`].toSorted()]);
      await authors.save({ id: author.id, notes: [] });
      expect(taken()).toEqual([[`Note ${two!.id}`, `Note ${other!.id}`].toSorted()]);
      expect(await notes.countBy({ author: { id: author.id } })).toBe(0);
    });

    it('rolls back what was attached from the inverse side with its transaction', async () => {
      const note = await notes.save(aNote());
      const author = await authors.save(anAuthor());
      db.dispatcher.taken();
      await db.dataSource
        .transaction(async (tx) => {
          await tx.save(Author, { id: author.id, notes: [{ id: note.id }] });
          throw new Error('no');
        })
        .catch(() => undefined);
      expect(taken()).toEqual([]);
    });
  });
}
