import { In, type EntitySubscriberInterface, type Repository } from 'typeorm';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aBook, anAuthor, Author, Book, library } from './library.js';
import { track, type Tracked } from './tracked.js';

for (const kind of databaseKinds) {
  describeDatabase(kind)(`writes by criteria (${kind})`, () => {
    let db: Tracked;
    let books: Repository<Book>;
    let author: Author;

    beforeAll(async () => {
      db = await track({ kind, ...library, onBulkWrite: 'throw' });
      books = db.dataSource.getRepository(Book);
      author = await db.dataSource.getRepository(Author).save(anAuthor());
    });
    afterAll(() => db?.stop());
    beforeEach(() => forget());

    const saved = async (count: number, values: Partial<Book> = {}): Promise<Book[]> => {
      const many = await books.save(Array.from({ length: count }, () => aBook({ author, ...values })));
      forget();
      return many;
    };
    const forget = (): void => {
      db.dispatcher.taken();
      db.dispatcher.takenChanges();
      db.dispatcher.captured.splice(0);
    };
    const labels = (many: readonly Book[], sign = ''): string[][] => [
      many.map(({ id }) => `${sign}Book ${id}`).toSorted(),
    ];
    const taken = (): string[][] => {
      const batches = db.dispatcher.taken().map((batch) => batch.toSorted());
      // Captured in the transaction, and the same rows afterwards.
      expect(db.dispatcher.captured.splice(0).map((batch) => batch.toSorted())).toEqual(batches);
      return batches;
    };

    it('finds the rows of update() by an id, ids, an object and an array of objects', async () => {
      const [one, two, three] = (await saved(3)) as [Book, Book, Book];
      await books.update(one.id, { pages: 1 });
      expect(taken()).toEqual(labels([one]));
      await books.update([one.id, two.id, two.id], { pages: 2 });
      expect(taken()).toEqual(labels([one, two]));
      await books.update(String(one.id), { pages: 3 });
      expect(taken()).toEqual(labels([one]));
      await books.update({ title: two.title }, { pages: 3 });
      expect(taken()).toEqual(labels([two]));
      await books.update({ id: In([two.id, three.id]) }, { pages: 4 });
      expect(taken()).toEqual(labels([two, three]));
      await books.update([{ title: one.title }, { id: three.id }], { title: 'New title' });
      expect(taken()).toEqual(labels([one, three]));
      expect(db.dispatcher.takenChanges().at(-1)?.snapshot).toMatchObject({
        title: 'New title',
        author: { id: author.id },
      });
    });

    it('follows a row to the primary key that update() gives it, unless SQL computes that key', async () => {
      const [one] = (await saved(1)) as [Book];
      const id = one.id + 1_000_000;
      await books.update(one.id, { id, title: 'Elsewhere' });
      expect(taken()).toEqual(labels([{ ...one, id } as Book]));
      expect(db.dispatcher.takenChanges().at(-1)?.snapshot).toMatchObject({ id, title: 'Elsewhere' });
      await books.update(id, { id: () => 'id + 1' });
      expect(taken()).toEqual([]);
      // It was update(), so the warning recommends no update().
      expect(db.warnings.splice(0)).toEqual([
        expect.stringMatching(
          /^An update of its primary key by SQL of Book: (?!.*update\(\)).*touch\(\) or reconcile\(\)/,
        ),
      ]);
    });

    it('dispatches nothing for criteria that match no row', async () => {
      await books.update({ title: 'nobody' }, { pages: 1 });
      await books.delete({ title: 'nobody' });
      expect(taken()).toEqual([]);
      await books.delete(999_999);
      expect(taken()).toEqual([]);
    });

    it('leaves empty criteria to TypeORM, which refuses them, and rolls nothing else back', async () => {
      for (const empty of [{}, [], undefined, null, ''] as unknown as number[]) {
        await expect(books.update(empty, { pages: 1 })).rejects.toThrow(/Empty criteria/);
        await expect(books.delete(empty)).rejects.toThrow(/Empty criteria/);
      }
      expect(taken()).toEqual([]);
    });

    it('asks entities for their address before delete() removes them', async () => {
      const [one, two, three] = (await saved(3)) as [Book, Book, Book];
      await books.delete(one.id);
      expect(taken()).toEqual(labels([one], '-'));
      await books.delete({ title: In([two.title, three.title]) });
      expect(taken()).toEqual(labels([two, three], '-'));
      expect(
        db.dispatcher
          .takenChanges()
          .map(({ operation, address }) => [operation, address.rkey])
          .toSorted(),
      ).toEqual([one, two, three].map(({ atpRkey }) => ['unpublish', atpRkey]).toSorted());
    });

    it('finds the rows of softDelete(), restore(), increment() and decrement(), each once', async () => {
      const [one, two] = (await saved(2)) as [Book, Book];
      await books.softDelete(one.id);
      expect(taken()).toEqual(labels([one]));
      await books.restore({ id: one.id });
      expect(taken()).toEqual(labels([one]));
      await books.increment({ title: one.title }, 'pages', 5);
      expect(taken()).toEqual(labels([one]));
      await books.decrement({ id: In([one.id, two.id]) }, 'pages', 2);
      expect(taken()).toEqual(labels([one, two]));
      expect((await books.findOneByOrFail({ id: one.id })).pages).toBe(3);
    });

    if (kind !== 'sqlite') {
      it('does not write rows that match only after the rows were read, so that no write goes unseen', async () => {
        const [one] = (await saved(1, { pages: 100 })) as [Book];
        let late: Promise<Book> | undefined;
        const slipIn: EntitySubscriberInterface<Book> = {
          listenTo: () => Book,
          beforeUpdate: async () => {
            late = books.save(aBook({ title: 'Late', pages: 100 }));
            // MariaDB locks the gaps as well, so the row comes when the transaction is over.
            if (kind === 'postgres') await late;
          },
        };
        for (const write of [
          () => books.update({ pages: 100 }, { blurb: 'all' }),
          () => books.increment({ pages: 100 }, 'pages', 1),
        ]) {
          db.dataSource.subscribers.push(slipIn);
          const { affected } = await write();
          db.dataSource.subscribers.pop();
          expect(affected).toBe(1);
          await late;
          expect(db.dispatcher.taken()).toContainEqual([`Book ${one.id}`]);
          expect(await books.findBy({ title: 'Late' })).toEqual([
            expect.objectContaining({ pages: 100, blurb: null }),
          ]);
          await books.delete({ title: 'Late' });
        }
        expect(await books.findOneByOrFail({ id: one.id })).toMatchObject({ pages: 101, blurb: 'all' });
        forget();
      });

      it('does not write a row that no longer matches once the transaction that changes it has ended', async () => {
        const [one] = (await saved(1, { pages: 200 })) as [Book];
        const other = db.dataSource.createQueryRunner();
        await other.startTransaction();
        await other.manager.update(Book, one.id, { pages: 201 });
        const writing = books.update({ pages: 200 }, { blurb: 'late' });
        await other.commitTransaction();
        await other.release();
        await writing;
        expect(await books.findOneByOrFail({ id: one.id })).toMatchObject({ pages: 201, blurb: null });
        forget();
      });

      it('takes criteria that go through a relation', async () => {
        const [one] = (await saved(1)) as [Book];
        expect(await books.update({ id: one.id, author: { id: author.id } }, { blurb: 'his' })).toMatchObject(
          {
            affected: 1,
          },
        );
        expect(taken()).toEqual(labels([one]));
      });
    }

    it('is part of an open transaction, and is rolled back with it', async () => {
      const [one] = (await saved(1)) as [Book];
      await db.dataSource.transaction(async (tx) => {
        await tx.update(Book, one.id, { pages: 1 });
        await tx
          .transaction((inner) => inner.delete(Book, one.id).then(() => Promise.reject(new Error('no'))))
          .catch(() => undefined);
      });
      expect(taken()).toEqual(labels([one]));
      await db.dataSource
        .transaction((tx) => tx.delete(Book, one.id).then(() => Promise.reject(new Error('no'))))
        .catch(() => undefined);
      expect(taken()).toEqual([]);
      expect(await books.countBy({ id: one.id })).toBe(1);
    });

    it('captures insert() in a transaction of its own, with a key for every row', async () => {
      const values = [
        { title: 'Inserted one', author },
        books.create({ title: 'Inserted two', author, atpUri: 'at://x' }),
      ];
      await books.insert(values);
      const rows = await books.findBy({ title: In(['Inserted one', 'Inserted two']) });
      expect(taken()).toEqual(labels(rows));
      expect(rows.map(({ atpUri }) => atpUri)).toEqual([null, null]);
      expect(
        db.dispatcher
          .takenChanges()
          .map(({ address }) => address.rkey)
          .toSorted(),
      ).toEqual(rows.map(({ atpRkey }) => atpRkey).toSorted());
    });

    it('sees an insert by query builder', async () => {
      await books
        .createQueryBuilder()
        .insert()
        .values([
          { title: 'Built', author },
          { title: 'Built', author },
        ])
        .execute();
      const rows = await books.findBy({ title: 'Built' });
      expect(taken()).toEqual(labels(rows));
      expect(
        db.dispatcher
          .takenChanges()
          .map(({ address }) => address.rkey)
          .toSorted(),
      ).toEqual(rows.map(({ atpRkey }) => atpRkey).toSorted());
    });

    it('captures an insert by query builder in a transaction, however the builder is made', async () => {
      const { dataSource } = db;
      const values = () => ({ title: 'Built too', author });
      await dataSource.createQueryBuilder().insert().into(Book).values(values()).execute();
      await dataSource.manager.createQueryBuilder().insert().into(Book).values(values()).execute();
      await dataSource.createQueryBuilder(Book, 'book').insert().values(values()).execute();
      const rows = (await books.findBy({ title: 'Built too' })).toSorted((a, b) => a.id - b.id);
      expect(taken()).toEqual(rows.flatMap((row) => labels([row])));

      const runner = dataSource.createQueryRunner();
      const within = runner.manager.createQueryBuilder().insert().into(Book).values(values());
      await runner.startTransaction();
      await within.execute();
      await runner.rollbackTransaction();
      await runner.release();
      expect(taken()).toEqual([]);
      expect(await books.countBy({ title: 'Built too' })).toBe(3);
    });

    it('finds the rows of upsert(), which never overwrites record columns', async () => {
      const [old] = (await saved(1, { isbn: 'old' })) as [Book];
      const uri = `at://${author.did}/com.example.book/${old.atpRkey}`;
      const { escape } = db.dataSource.driver;
      await books.query(
        `UPDATE book SET ${escape('atpUri')} = '${uri}', ${escape('atpCid')} = 'cid' WHERE id = ${old.id}`,
      );
      const offered = books.create({
        isbn: 'old',
        title: 'Offered',
        author,
        atpRkey: 'mine',
        atpUri: 'at://x',
        atpCid: 'x',
      });
      await books.upsert(
        [offered, { isbn: 'new', title: 'New', author }, { title: 'No conflict', author }],
        ['isbn'],
      );
      const rows = await books.findBy({ title: In(['Offered', 'New', 'No conflict']) });
      expect(rows).toHaveLength(3);
      expect(taken()).toEqual(labels(rows));
      const kept = await books.findOneByOrFail({ id: old.id });
      expect(kept).toMatchObject({ title: 'Offered', atpUri: uri, atpCid: 'cid', atpRkey: old.atpRkey });
      expect(offered.atpUri).toBeUndefined();
      const changes = db.dispatcher.takenChanges();
      expect(changes.map(({ operation, address }) => [operation, address.rkey])).toEqual(
        expect.arrayContaining([
          ['republish', old.atpRkey],
          ['publish', rows.find(({ isbn }) => isbn === 'new')?.atpRkey],
        ]),
      );
    });

    it('takes the conflict paths of upsert() also as an object, and an entity instead of an array', async () => {
      await books.upsert({ isbn: 'single', title: 'A', author }, { conflictPaths: { isbn: true } });
      await books.upsert(
        { isbn: 'single', title: 'B', author },
        { conflictPaths: ['isbn'], skipUpdateIfNoValuesChanged: true },
      );
      const row = await books.findOneByOrFail({ isbn: 'single' });
      expect(db.dispatcher.taken()).toEqual([...labels([row]), ...labels([row])]);
      expect(row.atpRkey).toMatch(/^[234567a-z]{13}$/);
    });

    it('reports none of the writes above as a bulk write', () => {
      expect(db.warnings).toEqual([]);
    });
  });
}
