import type { EntitySubscriberInterface, Repository, SelectQueryBuilder } from 'typeorm';
import { BulkWriteError } from 'nestjs-parity';
import type { BulkWriteReaction } from '../../lib/changes/bulk-write.policy.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aBook, anAuthor, aNote, Author, Book, library, Note } from './library.js';
import { track, type Tracked } from './tracked.js';

const builder = (books: Repository<Book>): SelectQueryBuilder<Book> => books.createQueryBuilder();

const writes: Record<string, (books: Repository<Book>) => Promise<unknown>> = {
  'update by query builder': (books) =>
    builder(books).update().set({ title: 'Bulk' }).where('pages = 7').execute(),
  'delete by query builder': (books) => builder(books).delete().where('pages = 7').execute(),
  'soft delete by query builder': (books) => builder(books).softDelete().where('pages = 7').execute(),
  'restore by query builder': (books) => builder(books).restore().where('pages = 7').execute(),
  'updateAll()': (books) => books.updateAll({ title: 'Bulk' }),
  'deleteAll()': (books) => books.deleteAll(),
  'clear()': (books) => books.clear(),
};

for (const kind of databaseKinds) {
  describeDatabase(kind)(`writes that name no rows (${kind})`, () => {
    const databases = new Map<BulkWriteReaction, Tracked>();

    const seeded = async (reaction: BulkWriteReaction): Promise<[Tracked, Repository<Book>]> => {
      let db = databases.get(reaction);
      if (!db) databases.set(reaction, (db = await track({ kind, ...library, onBulkWrite: reaction })));
      const books = db.dataSource.getRepository(Book);
      await books.delete({ pages: 7 });
      await books.save([aBook({ pages: 7, title: 'Same' }), aBook({ pages: 7, title: 'Same' })]);
      db.dispatcher.taken();
      return [db, books];
    };
    afterAll(async () => {
      for (const db of databases.values()) await db.stop();
    });

    for (const [name, write] of Object.entries(writes)) {
      it(`${name} is prevented with 'throw', and the rows stay as they are`, async () => {
        const [db, books] = await seeded('throw');
        // Only an entity without references can be truncated everywhere.
        await expect(write(books)).rejects.toThrow(BulkWriteError);
        expect(await books.countBy({ pages: 7, title: 'Same' })).toBe(2);
        expect(db.dispatcher.taken()).toEqual([]);
      });
    }

    it(`warns once per write by default, with the entity and the alternative`, async () => {
      const [db, books] = await seeded('warn');
      for (const [name, write] of Object.entries(writes)) {
        if (name === 'clear()') continue;
        await write(books);
        expect([name, db.warnings.splice(0)]).toEqual([
          name,
          [
            expect.stringMatching(
              /by query builder of Book:.*touch\(\)|^(update|delete)All\(\) of Book:.*touch\(\)/,
            ),
          ],
        ]);
      }
      expect(db.dispatcher.taken()).toEqual([]);
    });

    it(`says nothing with 'ignore', and nothing of unmarked entities`, async () => {
      const [db, books] = await seeded('ignore');
      await write(books, 'update by query builder');
      expect(db.warnings).toEqual([]);
      const [strict] = await seeded('throw');
      const authors = strict.dataSource.getRepository(Author);
      await authors.save(anAuthor());
      await authors.createQueryBuilder().update().set({ name: 'x' }).where('id > 0').execute();
      await authors.updateAll({ name: 'y' });
      expect(strict.warnings).toEqual([]);
    });

    it('an update by query builder in a hook of a save is prevented, and the save with it', async () => {
      for (const [reaction, prevented] of [
        ['throw', true],
        ['warn', false],
      ] as const) {
        const [db] = await seeded(reaction);
        const notes = db.dataSource.getRepository(Note);
        const note = await notes.save(aNote({ text: 'before' }));
        const hook: EntitySubscriberInterface<Note> = {
          listenTo: () => Note,
          afterUpdate: async ({ entity, queryRunner: { manager } }) => {
            if (entity?.['text'] === 'after')
              await manager.createQueryBuilder().update(Note).set({ text: 'hooked' }).execute();
          },
        };
        db.dataSource.subscribers.push(hook);
        const saving = notes.save(Object.assign(note, { text: 'after' }));
        const failure: unknown = await saving.then(() => null).catch((error: unknown) => error);
        db.dataSource.subscribers.pop();
        expect(failure instanceof BulkWriteError).toBe(prevented);
        const { text } = await notes.findOneByOrFail({ id: note.id });
        expect(text).toBe(prevented ? 'before' : 'hooked');
        expect(db.warnings.splice(0)).toHaveLength(prevented ? 0 : 1);
        db.dispatcher.taken();
      }
    });

    const write = (books: Repository<Book>, name: string): Promise<unknown> => writes[name]!(books);
  });
}
