import {
  Column,
  Entity,
  EntitySchema,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  type Repository,
} from 'typeorm';
import {
  atpRecordColumns,
  AtpRecordEntity,
  AtpUri,
  AtpCid,
  AtpRkey,
  AutoSyncsWithAtp,
  RecordMapper,
  RecordPublished,
} from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { textMapper } from '../support/entities/text-mapper.js';

@Entity()
class Person {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column({ default: true }) isActive!: boolean;
  @Column({ default: 'secret', select: false }) password!: string;
  @OneToMany(() => Letter, (letter) => letter.user, { lazy: true }) letters!: Promise<Letter[]>;
}

/** Its owner, and what its functions and its mapper read, come as promises. */
@Entity()
@AutoSyncsWithAtp()
class Letter extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @ManyToOne(() => Person, (person) => person.letters, { lazy: true }) user!: Promise<Person>;
  @ManyToOne(() => Person, { lazy: true, nullable: true }) reader!: Promise<Person | null>;
  @ManyToOne(() => Person, { lazy: true, nullable: true }) censor!: Promise<Person | null>;

  override async shouldAutoSync(): Promise<boolean> {
    const censor = await this.censor;
    return !censor || (censor.isActive && censor.password === 'secret');
  }
}

class Words {
  @Column({ default: '', select: false }) hidden!: string;
}

/** Nothing of it is selected unasked. */
@Entity()
@AutoSyncsWithAtp()
class Shy {
  @PrimaryGeneratedColumn() id!: number;
  @Column() title!: string;
  @Column({ select: false }) body!: string;
  @Column({ select: false, default: 'by the database' }) note!: string;
  @Column(() => Words) words!: Words;
  @ManyToOne(() => Person) user!: Relation<Person>;
  @AtpUri({ select: false }) uri!: string | null;
  @AtpCid({ select: false }) cid!: string | null;
  @AtpRkey({ select: false }) rkey!: string | null;
}

class Uid {
  constructor(readonly value: string) {}
}

@Entity()
@AutoSyncsWithAtp()
class Valued extends AtpRecordEntity {
  @PrimaryColumn({
    type: 'varchar',
    length: 40,
    transformer: { to: (uid: Uid) => uid.value, from: (value: string) => new Uid(value) },
  })
  id!: Uid;
  @Column() text!: string;
  @Column() did!: string;
}

@AutoSyncsWithAtp()
class Schemed extends AtpRecordEntity {
  id!: number;
  text!: string;
  did!: string;
}

/** Without a base class. */
@AutoSyncsWithAtp()
class Bare {
  id!: number;
  text!: string;
  did!: string;
  atpUri!: string | null;
}

const columns = {
  id: { type: Number, primary: true, generated: true },
  text: { type: String },
  did: { type: String },
  ...atpRecordColumns,
} as const;
const schemas = [
  new EntitySchema<Schemed>({ name: 'Schemed', target: Schemed, columns }),
  new EntitySchema<Bare>({ name: 'Bare', target: Bare, columns: columns as never }),
];

class LetterMapper extends RecordMapper<Letter> {
  readonly entity = Letter;
  readonly collection = 'com.example.letter';
  override readonly relations = { reader: true };
  async toRecord({ text, reader }: Letter): Promise<Record<string, unknown>> {
    return { text: `${text} to ${(await reader)?.did ?? 'all'}` };
  }
}

class ShyMapper extends RecordMapper<Shy> {
  readonly entity = Shy;
  readonly collection = 'com.example.shy';
  toRecord({ title, body, note, words, user }: Shy): Record<string, unknown> {
    return { text: [title, body, note, words.hidden, user.password].join(', ') };
  }
}

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const kind of databaseKinds) {
  describeDatabase(kind)(`entities of every kind (${kind})`, () => {
    let app: ParityApp;
    let user: Person;
    let did: string;

    beforeAll(async () => {
      const account = await signedIn(servers);
      ({ did } = account);
      app = await aParityApp({
        model: {
          entities: [Person, Letter, Shy, Valued, ...schemas],
          mappers: [
            LetterMapper,
            ShyMapper,
            textMapper(Valued, 'com.example.valued'),
            textMapper(Schemed, 'com.example.schemed'),
            textMapper(Bare, 'com.example.bare'),
          ],
        },
        sessions: account.sessions,
        database: kind,
        storage: 'database',
        dataSource: { poolSize: 2 },
        parity: { sync: { deadlineMs: 60_000 } },
      });
      user = await app.repository(Person).save({ did });
    });
    afterAll(() => app?.stop());

    const texts = async (name: string): Promise<unknown[]> => {
      const found = await servers.network.listRecords(did, `com.example.${name}`);
      return found.map(({ value }) => value['text']);
    };

    it('finds the owner behind a lazy relation, and reads lazy relations from the row', async () => {
      const letters = app.repository(Letter);
      const letter = letters.create({ text: 'one' });
      letter.user = Promise.resolve(user);
      letter.reader = Promise.resolve(user);
      await letters.save(letter);
      expect(letter.hasAtpRecord()).toBe(true);
      expect(await texts('letter')).toEqual([`one to ${did}`]);
      const found = await letters.findOneByOrFail({ id: letter.id });
      found.reader = Promise.resolve(null);
      await letters.save(Object.assign(found, { text: 'two' }));
      expect(await texts('letter')).toEqual(['two to all']);
      await letters.update(letter.id, { text: 'three' });
      expect(await texts('letter')).toEqual(['three to all']);
      await letters.delete(letter.id);
      expect(await texts('letter')).toEqual([]);
      const censor = await app.repository(Person).save({ did, isActive: false });
      const draft = letters.create({ text: 'draft' });
      Object.assign(draft, { user: Promise.resolve(user), censor: Promise.resolve(censor) });
      await letters.save(draft);
      expect(await texts('letter')).toEqual([]);
      await app.repository(Person).update(censor.id, { isActive: true });
      await letters.update(draft.id, { text: 'four' });
      expect(await texts('letter')).toEqual(['four to all']);
      expect(app.log.lines).toEqual([]);
    });

    it('publishes columns that are not selected by default, which stay hidden otherwise', async () => {
      const shies = app.repository(Shy);
      await shies.save({ title: 'A', body: 'b', words: { hidden: 'c' }, user });
      expect(await texts('shy')).toEqual(['A, b, by the database, c, secret']);
      const shy = await shies.findOneOrFail({ where: { title: 'A' }, relations: { user: true } });
      app.events.splice(0);
      await shies.save(Object.assign(shy, { title: 'B' }));
      await shies.update(shy.id, { title: 'C' });
      expect(await texts('shy')).toEqual(['C, b, by the database, c, secret']);
      const told = app.taken(RecordPublished).map(({ entity }) => entity);
      const rest = { id: shy.id, user: { id: user.id, did, isActive: true } };
      expect(JSON.parse(JSON.stringify([shy, ...told]))).toEqual([
        { ...rest, title: 'B' },
        { ...rest, title: 'B' },
        { ...rest, title: 'C', words: {} },
      ]);
      await shies.remove(shy);
      expect(await texts('shy')).toEqual([]);
    });

    it('publishes an entity whose key is a value object', async () => {
      const all = app.repository(Valued);
      const valued = await all.save(all.create({ id: new Uid('x'), text: 'one', did }));
      expect(valued.hasAtpRecord()).toBe(true);
      const [event] = app.taken(RecordPublished);
      expect(event).toMatchObject({ entityName: 'Valued', entityId: 'x' });
      await all.update({ id: new Uid('x') }, { text: 'two' });
      expect(await texts('valued')).toEqual(['two']);
      expect((await all.findOneByOrFail({ id: new Uid('x') })).atpUri).toBe(valued.atpUri);
      await all.delete({ id: new Uid('x') });
      expect(await texts('valued')).toEqual([]);
    });

    it.each([
      ['schemed', Schemed],
      ['bare', Bare],
    ] as const)('publishes an entity of an EntitySchema (%s)', async (name, entity) => {
      const all = app.dataSource.getRepository(entity) as Repository<Bare>;
      const one = await all.save(all.create({ text: 'one', did }));
      expect(await texts(name)).toEqual(['one']);
      const { atpUri } = one;
      expect(atpUri).toContain(did);
      await all.save(Object.assign(one, { text: 'two', atpUri: null }));
      expect(await texts(name)).toEqual(['two']);
      expect((await all.findOneByOrFail({ id: one.id })).atpUri).toBe(atpUri);
      await all.remove(one);
      expect(await texts(name)).toEqual([]);
    });
  });
}
