import { EntityManager, Repository, type DataSource, type QueryRunner } from 'typeorm';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aBook, Book, library } from './library.js';
import { track } from './tracked.js';

/** What most Nest projects write: it is made before the module starts. */
class Books extends Repository<Book> {
  constructor(dataSource: DataSource) {
    super(Book, dataSource.createEntityManager());
  }

  turn(id: number, pages: number): Promise<unknown> {
    return this.update(id, { pages });
  }
}

class OwnManager extends EntityManager {}

const ways: Record<string, (dataSource: DataSource, runner: QueryRunner) => Repository<Book>> = {
  'a repository class': (dataSource) => new Books(dataSource),
  'new EntityManager()': (dataSource) => new EntityManager(dataSource).getRepository(Book),
  'a subclass of EntityManager': (dataSource) => new OwnManager(dataSource).getRepository(Book),
  'a query runner': (_dataSource, runner) => runner.manager.getRepository(Book),
  'repository.extend()': (dataSource) => dataSource.getRepository(Book).extend({ mine: true }),
  'withRepository()': (dataSource) =>
    new EntityManager(dataSource).withRepository(dataSource.getRepository(Book).extend({ mine: true })),
};

for (const kind of databaseKinds) {
  describeDatabase(kind)(`entity managers however they are made (${kind})`, () => {
    for (const [name, make] of Object.entries(ways)) {
      for (const when of ['before', 'after'] as const) {
        it(`follows the writes of ${name}, made ${when} the module starts`, async () => {
          let books: Repository<Book> | undefined;
          let runner: QueryRunner | undefined;
          const makeNow = (dataSource: DataSource): void => {
            runner = dataSource.createQueryRunner();
            books = make(dataSource, runner);
          };
          const db = await track({
            kind,
            ...library,
            onBulkWrite: 'throw',
            ...(when === 'before' && { before: makeNow }),
          });
          try {
            if (when === 'after') makeNow(db.dataSource);
            const id = await written(books!);
            expect(db.dispatcher.captured.flat()).toEqual([
              ...Array(5).fill(`Book ${id}`),
              `Book ${id}`,
              `-Book ${id}`,
            ]);
            expect(db.dispatcher.taken().flat()).toEqual(db.dispatcher.captured.flat());
            expect(db.warnings).toEqual([]);
          } finally {
            await runner?.release();
            await db.stop();
          }
        });
      }
    }
  });
}

/** Writes one row in five calls, and in a transaction. */
async function written(books: Repository<Book>): Promise<number> {
  const { id } = await books.save(aBook({ pages: 1 }), { transaction: false });
  await (books instanceof Books ? books.turn(id, 3) : books.update({ id }, { pages: 3 }));
  await books.increment({ id }, 'pages', 1);
  await books.softDelete(id);
  await books.restore(id);
  await books.manager.transaction(async (manager) => {
    await manager.update(Book, id, { pages: 5 });
    await manager.delete(Book, id);
  });
  return id;
}
