import { AtpMapper, AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import {
  Column,
  DeleteDateColumn,
  Entity,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  VirtualColumn,
  type Relation,
} from 'typeorm';
import { FaultyNetwork } from '../support/faulty-network.js';
import { describeDatabase } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

@Entity()
class Person {
  @PrimaryColumn() id!: number;
  @Column() did!: string;
  @Column() name!: string;
  @OneToMany(() => Essay, (essay) => essay.user, { cascade: true }) essays!: Relation<Essay[]>;
}

/** Not for those who are banned. */
@Entity()
@AutoSyncsWithAtp({ whenNotEligible: 'unpublish' })
class Essay extends AtpRecordEntity {
  @PrimaryColumn() id!: number;
  @Column() text!: string;
  @Column({ default: 0 }) views!: number;
  @ManyToOne(() => Person, (person) => person.essays) user!: Relation<Person> | null;
  @OneToMany(() => Picture, (picture) => picture.essay) pictures!: Relation<Picture[]>;

  override shouldAutoSync(): boolean {
    return this.user?.name !== 'banned';
  }
}

@Entity()
class Picture {
  @PrimaryColumn() id!: number;
  @ManyToOne(() => Essay, (essay) => essay.pictures) essay!: Relation<Essay>;
  @DeleteDateColumn() deletedAt!: Date | null;
}

@Entity()
@AutoSyncsWithAtp<Sign>({ syncAsDid: ({ owner }) => owner?.did })
class Sign extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Person, { eager: true }) owner!: Person;
}

@Entity()
@AutoSyncsWithAtp()
class Leaf extends AtpRecordEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column() did!: string;
  @Column() text!: string;
  @VirtualColumn({ query: (leaf) => `SELECT UPPER(l.text) FROM leaf l WHERE l.id = ${leaf}.id` })
  loud!: string;
}

@Entity()
@AutoSyncsWithAtp()
class Shelf extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ default: 'shelf' }) kind!: string;
  @Column({ type: Date, nullable: true, unique: true }) builtAt!: Date | null;
  @Column() did!: string;
}

@AtpMapper()
class EssayMapper extends RecordMapper<Essay> {
  readonly entity = Essay;
  readonly collection = 'com.example.essay';
  override readonly relations = { user: true, pictures: true };

  toRecord({ text, user, pictures }: Essay): Record<string, unknown> {
    return { text: `${text} of ${user?.name} with ${pictures.length}` };
  }
}

@AtpMapper()
class SignMapper extends RecordMapper<Sign> {
  readonly entity = Sign;
  readonly collection = 'com.example.sign';

  toRecord({ owner }: Sign): Record<string, unknown> {
    return { text: owner.name };
  }
}

@AtpMapper()
class LeafMapper extends RecordMapper<Leaf> {
  readonly entity = Leaf;
  readonly collection = 'com.example.leaf';

  toRecord({ loud }: Leaf): Record<string, unknown> {
    return { text: loud };
  }
}

@AtpMapper()
class ShelfMapper extends RecordMapper<Shelf> {
  readonly entity = Shelf;
  readonly collection = 'com.example.shelf';

  override rkey({ kind, id }: Shelf): string {
    return `${kind}-${id}`;
  }

  toRecord({ id }: Shelf): Record<string, unknown> {
    return { text: `${id}` };
  }
}

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

const storages = [
  ['sqlite', 'database'],
  ['sqlite', 'none'],
  ['postgres', 'database'],
] as const;

for (const [kind, storage] of storages) {
  describeDatabase(kind)(`an instance that is not as its stored row (${kind}, ${storage})`, () => {
    let app: ParityApp;
    let did: string;
    let ann: Person;

    beforeEach(async () => {
      const account = await signedIn(servers);
      ({ did } = account);
      app = await aParityApp({
        model: {
          entities: [Person, Essay, Picture, Sign, Leaf, Shelf],
          mappers: [EssayMapper, SignMapper, LeafMapper, ShelfMapper],
        },
        sessions: account.sessions,
        database: kind,
        storage,
      });
      ann = await app.repository(Person).save({ id: 1, did, name: 'Ann' } as Person);
    });
    afterEach(() => app.stop());

    const records = async (name: string): Promise<[key: unknown, text: unknown][]> => {
      if (storage === 'database') await until(async () => !(await app.parity.hasPendingSyncs(did)));
      const found = await servers.network.listRecords(did, `com.example.${name}`);
      return found.map(({ uri, value }) => [uri.split('/').at(-1), value['text']]);
    };
    const texts = async (name: string): Promise<unknown[]> => (await records(name)).map(([, text]) => text);
    const essay = async (): Promise<Essay> => {
      const essays = app.repository(Essay);
      await essays.save(essays.create({ id: 1, text: 'one', user: ann, pictures: [] }));
      return essays.findOneOrFail({ where: { id: 1 }, relations: { user: true, pictures: true } });
    };

    it('is published with the current state of its owner, which changed in the same transaction or before', async () => {
      const found = await essay();
      await app.dataSource.transaction(async (manager) => {
        await manager.update(Person, 1, { name: 'Eve' });
        await manager.save(Object.assign(found, { views: 1 }));
      });
      expect(await texts('essay')).toEqual(['one of Eve with 0']);
      await app.repository(Person).update(1, { name: 'banned' });
      await app.repository(Essay).save(Object.assign(found, { views: 2 }));
      expect(await texts('essay')).toEqual([]);
    });

    it('is published with the owner that it got from the other side of the relation', async () => {
      const found = await essay();
      const bob = await app.repository(Person).save({ id: 2, did, name: 'Bob', essays: [] });
      bob.essays.push(found);
      await app.repository(Person).save(bob);
      expect(await texts('essay')).toEqual(['one of Bob with 0']);
    });

    it('is published with the owner in its row, although the instance has lost that since', async () => {
      const essays = app.repository(Essay);
      await app.dataSource.transaction(async (manager) => {
        const saved = await manager.save(essays.create({ id: 1, text: 'one', user: ann, pictures: [] }));
        saved.user = null;
      });
      expect(await texts('essay')).toEqual(['one of Ann with 0']);
    });

    it('is published with the whole owner that it names by id only, if the relation is eager', async () => {
      const signs = app.repository(Sign);
      await signs.save(signs.create({ owner: { id: 1 } }));
      expect(await texts('sign')).toEqual(['Ann']);
    });

    it('is published with the columns that the database computes, and found by the key as the database stores it', async () => {
      const leaves = app.repository(Leaf);
      const id = crypto.randomUUID().toUpperCase();
      await leaves.save(leaves.create({ id, did, text: 'one' }));
      expect(await texts('leaf')).toEqual(['ONE']);
      const leaf = await leaves.findOneByOrFail({ id });
      await leaves.save(Object.assign(leaf, { text: 'two' }));
      expect(await texts('leaf')).toEqual(['TWO']);
      await leaves.delete(id);
      expect(await texts('leaf')).toEqual([]);
    });

    it('is published under the record key that its mapper computes from generated columns', async () => {
      const shelves = app.repository(Shelf);
      await shelves.save([shelves.create({ did }), shelves.create({ did })]);
      const shelf = await shelves.save({ did } as Shelf);
      expect((await records('shelf')).toSorted()).toEqual([
        ['shelf-1', '1'],
        ['shelf-2', '2'],
        ['shelf-3', '3'],
      ]);
      expect(shelf.atpUri).toBe(`at://${did}/com.example.shelf/shelf-3`);
    });

    it('is found after an upsert by the conflict column as the database stores it', async () => {
      await app.repository(Shelf).upsert({ did, builtAt: '2020-01-01T12:00:00.000Z' }, ['builtAt']);
      expect(await texts('shelf')).toEqual(['1']);
    });

    it('is published without a related row that was soft-deleted', async () => {
      const found = await essay();
      await app.repository(Picture).save([
        { id: 1, essay: found },
        { id: 2, essay: found },
      ]);
      await app.parity.touch(found);
      expect(await texts('essay')).toEqual(['one of Ann with 2']);
      await app.repository(Picture).softDelete(1);
      await app.parity.touch(found);
      expect(await texts('essay')).toEqual(['one of Ann with 1']);
    });
  });
}
