import type { Repository } from 'typeorm';
import { OAuthSessionInvalidError } from 'nestjs-parity';
import { aBook, anAuthor, aNote, Author, Book, library, Note } from './library.js';
import { track, type Tracked } from './tracked.js';

describe('one connection for all callers (SQLite)', () => {
  let db: Tracked;
  let books: Repository<Book>;
  let author: Author;

  beforeEach(async () => {
    db = await track(library);
    books = db.dataSource.getRepository(Book);
    author = await db.dataSource.getRepository(Author).save(anAuthor());
  });
  afterEach(() => db?.stop());

  it('publishes nothing of a transaction that other callers joined and that is rolled back', async () => {
    const [a, b, c] = await Promise.allSettled([
      books.save(aBook({ author })),
      books.save(aBook({ author })),
      db.dataSource.transaction(async (tx) => {
        await tx.save(aBook({ author }));
        throw new Error('C is rolled back');
      }),
    ]);
    expect([a.status, b.status, c.status]).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    // Rows of other callers may be read as well, because their writes may not have been part of the
    // transaction.
    const keys = new Set(db.dispatcher.takenChanges().map(({ address }) => address.rkey));
    expect([...keys].toSorted()).toEqual((await books.find()).map(({ atpRkey }) => atpRkey).toSorted());
  });

  for (const turns of [0, 1, 2, 3, 5, 8, 13, 21, 28, 31, 34, 35, 36, 37, 38, 39, 40, 45]) {
    it(`publishes what is committed and no more when another caller begins ${turns} turns later`, async () => {
      const later = async <T>(work: () => Promise<T>): Promise<T> => {
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        return work();
      };
      await Promise.allSettled([
        books.save(aBook()),
        books.insert({ title: 'Inserted' }),
        later(() =>
          db.dataSource.transaction((tx) => tx.save(aBook()).then(() => Promise.reject(new Error('no')))),
        ),
        later(() => books.createQueryBuilder().insert().values({ title: 'Built' }).execute()),
        books.save(aBook(), { transaction: false }),
      ]);
      const rows = (await books.find()).map(({ id }) => `Book ${id}`);
      // Rows that were rolled back may be read, but every row that exists must be dispatched.
      expect(db.dispatcher.taken().flat()).toEqual(expect.arrayContaining(rows));
      // TypeORM may have lost count of its transactions. A later write is dispatched all the same, and at
      // once.
      const next = await books.save(aBook());
      expect(db.dispatcher.taken().flat()).toContain(`Book ${next.id}`);
      await books.update(next.id, { title: 'Next' });
      expect(db.dispatcher.taken().flat()).toContain(`Book ${next.id}`);
    });
  }

  it('joins the transaction of another caller with a write by criteria, instead of cutting it in two', async () => {
    const book = await books.save(aBook({ title: 'Before' }));
    db.dispatcher.taken();
    await expect(
      db.dataSource.transaction(async (tx) => {
        await tx.save(aNote());
        await books.update(book.id, { title: 'Joined' });
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await books.findOneByOrFail({ id: book.id })).toMatchObject({ title: 'Before' });
    expect(await db.dataSource.getRepository(Note).count()).toBe(0);
    expect(db.dispatcher.takenChanges().map(({ snapshot }) => snapshot)).toEqual([]);
  });

  it('rolls back nothing of another caller for an auth error, whichever caller commits', async () => {
    db.dispatcher.signedOut = ['Book'];
    const notes = db.dataSource.getRepository(Note);
    const dispatching = Promise.withResolvers<void>();
    const otherBegan = Promise.withResolvers<void>();
    const afterCommit = db.dispatcher.afterCommit.bind(db.dispatcher);
    // The sync of each commit takes as long as the other caller needs to begin.
    db.dispatcher.afterCommit = async (...args) => {
      dispatching.resolve();
      await otherBegan.promise;
      return afterCommit(...args);
    };
    const saving = books.save(aBook()).catch((reason: unknown) => reason);
    await dispatching.promise;
    const other = db.dataSource.createQueryRunner();
    await other.startTransaction();
    await other.manager.save(aNote());
    otherBegan.resolve();
    await other.commitTransaction();
    expect(await saving).toBeInstanceOf(OAuthSessionInvalidError);
    expect([await books.count(), await notes.count()]).toEqual([1, 1]);
  });

  it('does not throw to a caller for the lost session of another caller that joined', async () => {
    db.dispatcher.signedOut = ['Book'];
    await db.dataSource.transaction(async (tx) => {
      await tx.save(aNote());
      await books.save(aBook());
    });
    expect(db.dispatcher.taken()).toEqual([['Note 1', 'Book 1']]);
  });
});
