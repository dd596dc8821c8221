import { QueryFailedError } from 'typeorm';
import { OAuthSessionInvalidError } from 'nestjs-parity';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aBook, aNote, Book, library, Note } from './library.js';
import { track, type Tracked } from './tracked.js';

for (const kind of databaseKinds) {
  describeDatabase(kind)(`transactions (${kind})`, () => {
    let db: Tracked;

    beforeAll(async () => {
      // A pool of one: whatever takes a second connection hangs.
      db = await track({ kind, ...library, extra: { poolSize: 1 } });
    });
    afterAll(() => db?.stop());
    beforeEach(() => {
      db.dispatcher.taken();
      db.dispatcher.captured.splice(0);
      db.dispatcher.signedOut = [];
    });

    const title = (): string => `T${Math.random()}`;

    it('publishes nothing of a transaction that is rolled back', async () => {
      await expect(
        db.dataSource.transaction(async (tx) => {
          await tx.save(aBook());
          throw new Error('no');
        }),
      ).rejects.toThrow('no');
      expect(db.dispatcher.taken()).toEqual([]);
      expect(db.dispatcher.captured).toEqual([]);
    });

    it('drops the changes of a savepoint that is rolled back, and no others', async () => {
      const kept: string[] = [];
      await db.dataSource.transaction(async (tx) => {
        kept.push(`Book ${(await tx.save(aBook())).id}`);
        await tx
          .transaction(async (inner) => {
            await inner.save(aBook());
            await inner.transaction((innermost) => innermost.save(aBook()));
            throw new Error('inner');
          })
          .catch(() => undefined);
        kept.push(`Book ${(await tx.transaction((inner) => inner.save(aBook()))).id}`);
        kept.push(`Book ${(await tx.save(aBook())).id}`);
      });
      expect(db.dispatcher.taken()).toEqual([kept]);
      expect(db.dispatcher.captured).toEqual([kept]);
    });

    it('publishes nothing of a released savepoint whose outer transaction is rolled back', async () => {
      await db.dataSource
        .transaction(async (tx) => {
          await tx.transaction((inner) => inner.save(aBook()));
          throw new Error('outer');
        })
        .catch(() => undefined);
      expect(db.dispatcher.taken()).toEqual([]);
    });

    it('resolves commitTransaction() of an explicit query runner after the sync, on its own connection', async () => {
      const runner = db.dataSource.createQueryRunner();
      await runner.startTransaction();
      const book = await runner.manager.save(aBook());
      await runner.manager.update(Book, book.id, { title: title() });
      expect(db.dispatcher.taken()).toEqual([]);
      await runner.commitTransaction();
      expect(db.dispatcher.taken()).toEqual([[`Book ${book.id}`, `Book ${book.id}`]]);

      await runner.startTransaction();
      await runner.manager.remove(book);
      await runner.rollbackTransaction();
      expect(db.dispatcher.taken()).toEqual([]);
      await runner.release();
    });

    it('syncs on the connection of an explicit query runner that is held without a transaction', async () => {
      const runner = db.dataSource.createQueryRunner();
      const book = await runner.manager.save(aBook());
      await runner.manager.update(Book, book.id, { title: title() });
      await runner.manager.insert(Book, { title: title() });
      expect(db.dispatcher.taken()).toHaveLength(3);
      await runner.release();
    });

    it('needs no second connection for any write', async () => {
      const books = db.dataSource.getRepository(Book);
      const book = await books.save(aBook());
      await books.update({ title: book.title }, { pages: 2 });
      await books.increment({ id: book.id }, 'pages', 1);
      await books.upsert({ title: title(), isbn: title() }, ['isbn']);
      await books.softDelete(book.id);
      await books.restore(book.id);
      await db.dataSource.transaction((tx) => tx.save(aBook()));
      await books.createQueryBuilder().insert().values({ title: title() }).execute();
      await books.delete(book.id);
      await books.remove(await books.save(aBook()));
      expect(db.dispatcher.taken()).toHaveLength(11);
    });

    it('throws the auth failure of a managed call to its caller, with everything committed', async () => {
      db.dispatcher.signedOut = ['Book'];
      const books = db.dataSource.getRepository(Book);
      const book = aBook();
      await expect(books.save(book)).rejects.toThrow(OAuthSessionInvalidError);
      await expect(books.update(book.id, { pages: 9 })).rejects.toThrow(OAuthSessionInvalidError);
      await expect(
        db.dataSource.transaction(async (tx) => {
          await tx.update(Book, book.id, { title: 'in transaction' });
          await tx.save(aNote());
        }),
      ).rejects.toThrow(OAuthSessionInvalidError);
      expect(await books.findOneByOrFail({ id: book.id })).toMatchObject({
        pages: 9,
        title: 'in transaction',
      });
      await expect(books.remove(book)).rejects.toThrow(OAuthSessionInvalidError);
      expect(await books.findOneBy({ title: 'in transaction' })).toBeNull();
    });

    it('rejects a commit by hand for an auth failure on pooled drivers, and only logs it on a shared connection', async () => {
      db.dispatcher.signedOut = ['Book'];
      const runner = db.dataSource.createQueryRunner();
      await runner.startTransaction();
      const { id } = await runner.manager.save(aBook());
      const commit = runner.commitTransaction();
      const error = await commit.catch((reason: unknown) => reason);
      const warned = db.warnings.splice(0).some((line) => line.includes('committed by hand'));
      const rejected = error instanceof OAuthSessionInvalidError;
      expect({ rejected, warned }).toEqual({ rejected: kind !== 'sqlite', warned: kind === 'sqlite' });
      await runner.release();
      expect(await db.dataSource.getRepository(Book).countBy({ id })).toBe(1);
    });

    it('syncs what was committed inside a call that fails afterwards', async () => {
      const other = db.dataSource.createQueryRunner();
      await expect(
        other.manager.transaction(async (tx) => {
          await tx.save(aBook());
          await other.commitTransaction();
          throw new Error('afterwards');
        }),
      ).rejects.toThrow('afterwards');
      await other.release();
      expect(db.dispatcher.taken()).toHaveLength(1);
    });

    it('dispatches a transaction that is still open when its query runner is disposed of', async () => {
      const runner = db.dataSource.createQueryRunner();
      await runner.startTransaction();
      await runner.startTransaction();
      const { id } = await runner.manager.save(aBook());
      await runner[Symbol.asyncDispose]();
      expect(db.dispatcher.taken()).toEqual([[`Book ${id}`]]);
      const next = await db.dataSource.getRepository(Book).save(aBook());
      expect(db.dispatcher.taken()).toEqual([[`Book ${next.id}`]]);
    });

    it('leaks nothing of a failed write into the next transaction', async () => {
      const books = db.dataSource.getRepository(Book);
      const taken = await books.save(aBook({ isbn: title() }));
      db.dispatcher.taken();
      await expect(books.save([aBook(), aBook({ isbn: taken.isbn })])).rejects.toThrow(QueryFailedError);
      const note = await db.dataSource.getRepository(Note).save(aNote());
      expect(db.dispatcher.taken()).toEqual([[`Note ${note.id}`]]);
    });

    it('dispatches commits of work that a call left running', async () => {
      let later: Promise<number> | undefined;
      const started = Promise.withResolvers<void>();
      await db.dataSource.transaction(async (tx) => {
        await tx.save(aNote());
        later = started.promise.then(async () => {
          const runner = db.dataSource.createQueryRunner();
          await runner.startTransaction();
          const { id } = await runner.manager.save(aBook());
          await runner.commitTransaction();
          await runner.release();
          return id;
        });
      });
      db.dispatcher.taken();
      started.resolve();
      const id = await later;
      expect(db.dispatcher.taken()).toEqual([[`Book ${id}`]]);
    });
  });
}
