import {
  Column,
  Entity,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  type DataSourceOptions,
  type Relation,
} from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import { databaseKinds, describeDatabase, freshDataSource, type ExtraOptions } from '../support/databases.js';
import { track, type Tracked } from './tracked.js';

@Entity()
class Owner {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column({ default: true }) isActive!: boolean;
  @OneToMany(() => Page, (page) => page.author) pages!: Relation<Page[]>;
}

/** Its constructor demands arguments, which `entitySkipConstructor` is for. */
@Entity()
@AutoSyncsWithAtp()
class Page extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text: string;
  @Column({ type: String, nullable: true }) note!: string | null;
  @ManyToOne(() => Owner, (owner) => owner.pages, { nullable: false, createForeignKeyConstraints: false })
  author: Relation<Owner>;
  @ManyToOne(() => Owner, { lazy: true, nullable: true }) reader!: Promise<Owner | null>;

  constructor({ text, author }: { text: string; author: Owner }) {
    super();
    this.text = text;
    this.author = author;
  }
}

class PageMapper extends RecordMapper<Page> {
  readonly entity = Page;
  readonly collection = 'com.example.page';
  toRecord({ text }: Page): Record<string, unknown> {
    return { text };
  }
}

const options = {
  entitySkipConstructor: true,
  relationLoadStrategy: 'query',
  cache: { alwaysEnabled: true, duration: 60_000 },
  invalidWhereValuesBehavior: { undefined: 'ignore', null: 'ignore' },
  entityPrefix: 'app_',
} as const satisfies ExtraOptions;
const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';

for (const kind of databaseKinds) {
  describeDatabase(kind)(`options that change what a read returns (${kind})`, () => {
    let db: Tracked;
    let author: Owner;

    const start = (extra: ExtraOptions): Promise<Tracked> =>
      track({ kind, entities: [Owner, Page], mappers: [new PageMapper() as unknown as RecordMapper], extra });
    const saved = async (): Promise<Page> => {
      const page = await db.dataSource.manager.save(new Page({ text: 'one', author }));
      db.dispatcher.takenChanges();
      return page;
    };
    const told = (): unknown[] => db.dispatcher.takenChanges().map(({ snapshot }) => snapshot);

    beforeAll(async () => {
      db = await start(options);
      author = await db.dataSource.manager.save(Object.assign(new Owner(), { did }));
    });
    afterAll(() => db?.stop());

    it('reads the row from the database, and not from the query cache', async () => {
      const { manager } = db.dataSource;
      const { id } = await saved();
      await manager.update(Page, id, { text: 'two' });
      expect(told()).toEqual([expect.objectContaining({ text: 'two', author })]);
      await manager.query(`UPDATE app_page SET note = 'by SQL' WHERE id = ${id}`);
      await manager.update(Page, id, { text: 'three' });
      expect(told()).toEqual([expect.objectContaining({ text: 'three', note: 'by SQL', author })]);
    });

    it('reads a lazy relation from the database after its connection was given back', async () => {
      const { manager } = db.dataSource;
      const reader = await manager.save(Object.assign(new Owner(), { did }));
      const { id } = await saved();
      const readers = async (): Promise<unknown[]> => {
        await manager.update(Page, id, { text: 'x' });
        return Promise.all(told().map((whole) => (whole as Page).reader));
      };
      expect(await readers()).toEqual([null]);
      await manager.query(`UPDATE app_page SET ${db.dataSource.driver.escape('readerId')} = ${reader.id}`);
      expect(await readers()).toEqual([reader]);
      await manager.query(
        `UPDATE app_owner SET ${db.dataSource.driver.escape('isActive')} = ${kind === 'postgres' ? 'false' : 0} ` +
          `WHERE id = ${reader.id}`,
      );
      expect(await readers()).toEqual([{ ...reader, isActive: false }]);
    });

    it('finds a row whose related row is missing', async () => {
      const { manager } = db.dataSource;
      const { id } = await saved();
      await manager.query(
        `UPDATE app_page SET ${db.dataSource.driver.escape('authorId')} = 4711 WHERE id = ${id}`,
      );
      await db.dataSource.manager.update(Page, id, { text: 'orphan' });
      expect(db.dispatcher.taken()).toContainEqual([`Page ${id}`]);
    });

    it('leaves criteria without a condition to TypeORM, which refuses them', async () => {
      const { manager } = db.dataSource;
      await saved();
      for (const criteria of [{ text: undefined }, { note: null }, [{ text: undefined }]] as object[]) {
        await expect(manager.update(Page, criteria, { text: 'all' })).rejects.toThrow(/[Ee]mpty criteria/);
        await expect(manager.delete(Page, criteria)).rejects.toThrow(/[Ee]mpty criteria/);
      }
      expect(await manager.countBy(Page, { text: 'all' })).toBe(0);
      expect(told()).toEqual([]);
    });

    if (kind !== 'sqlite') {
      it('reads from the primary, never from a replica', async () => {
        const primary = await freshDataSource(kind, [Owner, Page], { entitySkipConstructor: true });
        const replica = await freshDataSource(kind, [Owner, Page], { entitySkipConstructor: true });
        await replica.open();
        const place = ({
          options: { type: _type, entities: _entities, synchronize: _s, ...rest },
        }: {
          options: DataSourceOptions;
        }): object => rest;
        const replication = { master: place(primary), slaves: [place(replica)] };
        const away = await start({ entitySkipConstructor: true, replication } as ExtraOptions);
        try {
          const { manager } = away.dataSource;
          const owner = await manager.save(Object.assign(new Owner(), { did }));
          const page = new Page({ text: 'one', author: owner });
          const { id } = await manager.save(page);
          const { driver } = away.dataSource;
          await manager.query(`UPDATE page SET ${driver.escape('readerId')} = ${owner.id}`);
          await manager.update(Page, { id }, { text: 'two' });
          expect(await manager.findOneBy(Page, { id })).toBeNull();
          const snapshot = away.dispatcher.takenChanges().at(-1)?.snapshot as Page;
          expect(snapshot).toMatchObject({ text: 'two', author: { did } });
          expect(await snapshot.reader).toMatchObject({ did });
        } finally {
          await away.stop();
          await replica.cleanup();
          await primary.cleanup();
        }
      });
    }
  });
}
