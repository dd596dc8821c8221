import {
  ChildEntity,
  Column,
  Entity,
  JoinColumn,
  OneToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
  type ObjectLiteral,
  type Relation,
} from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import { databaseKinds, describeDatabase, type DatabaseKind } from '../support/databases.js';
import { track, type Tracked } from './tracked.js';

const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';

abstract class Owned extends AtpRecordEntity {
  @Column({ default: '' }) text!: string;
  @Column({ default: 0 }) count!: number;
  get did(): string {
    return did;
  }
}

@Entity()
@AutoSyncsWithAtp()
class Pair extends Owned {
  @PrimaryColumn() left!: number;
  @PrimaryColumn() right!: string;
}

@Entity()
@AutoSyncsWithAtp()
class Token extends Owned {
  @PrimaryGeneratedColumn('uuid') id!: string;
}

@Entity()
@AutoSyncsWithAtp()
class Day extends Owned {
  @PrimaryColumn({ type: Date, precision: 3 }) day!: Date;
}

/** A value object, as domain models have them. */
class Uid {
  constructor(readonly value: string) {}
}

@Entity()
@AutoSyncsWithAtp()
class Valued extends Owned {
  @PrimaryColumn({
    type: 'varchar',
    length: 40,
    transformer: { to: (uid: Uid) => uid.value, from: (value: string) => new Uid(value) },
  })
  id!: Uid;
}

@Entity()
@AutoSyncsWithAtp()
class Large extends Owned {
  @PrimaryColumn({ type: 'bigint', transformer: { to: String, from: BigInt } }) id!: bigint;
  @PrimaryColumn({ type: 'bigint' }) other!: string;
}

/** The databases have bytes under different names. */
function bytesAs(type: 'blob' | 'bytea' | 'binary') {
  const options = { type, ...(type !== 'bytea' && { length: 16 }) };
  const transformer = {
    to: (hex: string) => Buffer.from(hex, 'hex'),
    from: (bytes: Buffer) => bytes.toString('hex'),
  };

  /** In memory as text. */
  @Entity()
  @AutoSyncsWithAtp()
  class Binary extends Owned {
    @PrimaryColumn({ ...options, transformer }) id!: string;
  }

  @Entity()
  @AutoSyncsWithAtp()
  class Bytes extends Owned {
    @PrimaryColumn(options) left!: Buffer;
    @PrimaryColumn() right!: boolean;
  }
  return { Binary, Bytes };
}
const bytes = { sqlite: bytesAs('blob'), postgres: bytesAs('bytea'), mariadb: bytesAs('binary') };

/** Seconds in the database, a date in memory. */
@Entity()
@AutoSyncsWithAtp()
class Second extends Owned {
  @PrimaryColumn({
    type: 'int',
    transformer: { to: (at: Date) => at.getTime() / 1_000, from: (at: number) => new Date(at * 1_000) },
  })
  at!: Date;
}

@Entity()
@AutoSyncsWithAtp()
class Word extends Owned {
  @PrimaryColumn() word!: string;
}

@Entity()
@AutoSyncsWithAtp()
class Count extends Owned {
  @PrimaryColumn({ type: 'int' }) id!: number;
}

@Entity()
@AutoSyncsWithAtp()
class Sheet extends Owned {
  @OneToOne(() => Token) @JoinColumn() token!: Relation<Token>;
  @PrimaryColumn() tokenId!: string;
}

/** Marked root, with a mapper of its own for one child. */
@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'type' } })
@AutoSyncsWithAtp()
class Shape extends Owned {
  @PrimaryGeneratedColumn() id!: number;
}
@ChildEntity()
class Circle extends Shape {}
@ChildEntity()
@AutoSyncsWithAtp()
class Square extends Shape {}

/** Only a child is marked. */
@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'type' } })
class Vehicle extends Owned {
  @PrimaryGeneratedColumn() id!: number;
}
@ChildEntity()
@AutoSyncsWithAtp()
class Car extends Vehicle {}
@ChildEntity()
class Tram extends Vehicle {}

const mapperOf = (entity: new () => Owned, collection = entity.name): RecordMapper =>
  new (class extends RecordMapper<Owned> {
    readonly entity = entity;
    readonly collection = `com.example.${collection.toLowerCase()}`;
    toRecord = ({ text }: Owned): Record<string, unknown> => ({ text });
  })() as RecordMapper;

const keyed: Record<string, (kind: DatabaseKind) => [Owned, ...Owned[]]> = {
  'composite keys': () => [
    Object.assign(new Pair(), { left: 1, right: 'a"b' }),
    Object.assign(new Pair(), { left: 1, right: 'c' }),
  ],
  'uuid keys': () => [new Token(), new Token()],
  'keys that are bytes in the database': (kind) => [
    Object.assign(new bytes[kind].Binary(), { id: '00112233445566778899aabbccddeeff' }),
  ],
  'keys that are bytes and truth values': (kind) => [
    Object.assign(new bytes[kind].Bytes(), { left: Buffer.alloc(16, 1), right: true }),
    Object.assign(new bytes[kind].Bytes(), { left: Buffer.alloc(16, 1), right: false }),
  ],
  'keys that are large numbers': () => [
    Object.assign(new Large(), { id: 4_294_967_297n, other: '4294967298' }),
  ],
  'Date keys': () => [Object.assign(new Day(), { day: new Date('2026-01-02T03:04:05.678Z') })],
};

/** On SQLite TypeORM itself cannot save one of these again; it can write by criteria. */
const objectKeyed: Record<string, () => [Owned, object][]> = {
  'value objects for keys': () => [
    [Object.assign(new Valued(), { id: new Uid('one') }), { id: new Uid('one') }],
    [Object.assign(new Valued(), { id: new Uid('two') }), { id: new Uid('two') }],
  ],
  'dates that are numbers in the database': () => {
    const at = new Date('2026-01-02T03:04:05.000Z');
    return [[Object.assign(new Second(), { at }), { at }]];
  },
};

for (const kind of databaseKinds) {
  describeDatabase(kind)(`keys and inheritance (${kind})`, () => {
    let db: Tracked;

    beforeAll(async () => {
      const marked: (new () => Owned)[] = [
        Pair,
        Token,
        Day,
        Valued,
        Large,
        Second,
        Word,
        Count,
        Sheet,
        Shape,
        Square,
        Car,
      ];
      marked.push(...(Object.values(bytes[kind]) as (new () => Owned)[]));
      db = await track({
        kind,
        entities: [...marked, Circle, Vehicle, Tram],
        mappers: marked.map((entity) => mapperOf(entity)),
        onBulkWrite: 'throw',
        extra: { poolSize: 1 },
      });
    });
    afterAll(() => db?.stop());
    beforeEach(() => {
      db.dispatcher.taken();
      db.dispatcher.takenChanges();
    });

    const told = (): unknown[] =>
      db.dispatcher
        .takenChanges()
        .map(({ operation, address, entity }) => [entity.name, operation, address.rkey]);

    for (const [name, make] of Object.entries(keyed)) {
      it(`follows entities with ${name}`, async () => {
        const entities = make(kind);
        const [first] = entities;
        const repository = db.dataSource.getRepository<ObjectLiteral>(first.constructor);
        const metadata = repository.metadata;
        await repository.save(entities);
        const expected = (operation: string): unknown[] =>
          entities.map(({ atpRkey }) => [metadata.name, operation, atpRkey]);
        expect(told()).toEqual(expected('publish'));
        // Partial, so that the rows have to be found again by their keys.
        const ids = entities.map((entity) => metadata.getEntityIdMap(entity) as ObjectLiteral);
        await repository.save(ids.map((id) => ({ ...id, text: 'changed' })));
        expect(told()).toEqual(expect.arrayContaining(expected('publish')));
        for (const entity of entities) entity.text = 'changed too';
        await repository.save(entities);
        expect(told()).toEqual(expect.arrayContaining(expected('publish')));
        for (const id of ids) await repository.update(id, { text: 'by criteria' });
        expect(told()).toEqual(expected('publish'));
        await repository.remove(entities);
        expect(told()).toEqual(expect.arrayContaining(expected('unpublish')));
      });
    }

    it('finds a row by the bare value of its key', async () => {
      const { manager } = db.dataSource;
      const token = await manager.save(new Token());
      const day = await manager.save(Object.assign(new Day(), { day: new Date('2026-02-03T04:05:06.789Z') }));
      db.dispatcher.takenChanges();
      await manager.update(Token, token.id, { text: 'by key' });
      await manager.update(Day, day.day, { text: 'by key' });
      await manager.delete(Day, [day.day]);
      expect(told()).toEqual([
        ['Token', 'publish', token.atpRkey],
        ['Day', 'publish', day.atpRkey],
        ['Day', 'unpublish', day.atpRkey],
      ]);
    });

    for (const [name, make] of Object.entries(objectKeyed)) {
      it(`follows entities with ${name}`, async () => {
        const { manager } = db.dataSource;
        for (const [entity, criteria] of make()) {
          await manager.save(entity);
          await manager.update(entity.constructor, criteria, { text: 'by criteria' });
          await manager.increment(entity.constructor, criteria, 'count', 1);
          expect(await manager.findOneBy(entity.constructor, criteria)).toMatchObject({
            text: 'by criteria',
            count: 1,
          });
          await manager.delete(entity.constructor, criteria);
          const { name: entityName } = entity.constructor;
          expect(told()).toEqual(
            ['publish', 'publish', 'publish', 'unpublish'].map((operation) => [
              entityName,
              operation,
              entity.atpRkey,
            ]),
          );
          const again = manager.create(entity.constructor, { ...criteria }) as Owned;
          await manager.insert(entity.constructor, again);
          await manager.delete(entity.constructor, criteria);
          expect(told()).toHaveLength(2);
        }
      });
    }

    it('follows entities whose key is the empty string, or 0', async () => {
      const { manager } = db.dataSource;
      const [word, count] = [
        await manager.save(Object.assign(new Word(), { word: '' })),
        await manager.save(Object.assign(new Count(), { id: 0 })),
      ];
      await manager.update(Word, { word: '' }, { text: 'x' });
      await manager.update(Count, 0, { text: 'x' });
      await manager.save(Object.assign(count, { text: 'y' }));
      await manager.delete(Word, { word: '' });
      await manager.remove(count);
      expect(told()).toEqual([
        ['Word', 'publish', word.atpRkey],
        ['Count', 'publish', count.atpRkey],
        ['Word', 'publish', word.atpRkey],
        ['Count', 'publish', count.atpRkey],
        ['Count', 'publish', count.atpRkey],
        ['Word', 'unpublish', word.atpRkey],
        ['Count', 'unpublish', count.atpRkey],
      ]);
    });

    it('follows entities whose key is a relation', async () => {
      const { manager } = db.dataSource;
      const token = await manager.save(new Token());
      db.dispatcher.takenChanges();
      const sheet = await manager.save(Object.assign(new Sheet(), { tokenId: token.id }));
      await manager.update(Sheet, { tokenId: token.id }, { text: 'x' });
      await manager.delete(Sheet, token.id);
      expect(told()).toEqual([
        ['Sheet', 'publish', sheet.atpRkey],
        ['Sheet', 'publish', sheet.atpRkey],
        ['Sheet', 'unpublish', sheet.atpRkey],
      ]);
    });

    if (kind === 'mariadb') {
      it('refuses a date that the database rounds', async () => {
        @Entity()
        @AutoSyncsWithAtp()
        class Rounded extends Owned {
          @PrimaryColumn({ type: Date }) at!: Date;
        }
        const starting = track({ kind, entities: [Rounded], mappers: [mapperOf(Rounded)] });
        await expect(starting).rejects.toThrow(/Rounded\.at is stored without milliseconds.*precision: 3/);
      });
    }

    if (kind === 'postgres') {
      it('finds a row by a uuid that is written differently than in the row', async () => {
        const { manager } = db.dataSource;
        const { id, atpRkey } = await manager.save(new Token());
        db.dispatcher.takenChanges();
        await manager.update(Token, id.toUpperCase(), { text: 'capitals' });
        expect(told()).toEqual([['Token', 'publish', atpRkey]]);
      });
    }

    it('hears each class of a single table once, whether the root, a child or both are marked', async () => {
      const { manager } = db.dataSource;
      const all = await manager.save([
        new Circle(),
        new Square(),
        new Shape(),
        new Car(),
        new Tram(),
        new Vehicle(),
      ]);
      const names = ['Circle', 'Square', 'Shape', 'Car'];
      expect(
        db.dispatcher
          .taken()
          .flat()
          .map((one) => one.split(' ')[0])
          .toSorted(),
      ).toEqual(names.toSorted());
      expect(
        db.dispatcher
          .takenChanges()
          .map(({ address }) => address.collection)
          .toSorted(),
      ).toEqual(
        // A child without a mapper of its own has the one of its root.
        ['com.example.car', 'com.example.shape', 'com.example.shape', 'com.example.square'],
      );
      await manager.remove(all);
      expect(
        db.dispatcher
          .taken()
          .flat()
          .map((one) => one.split(' ')[0])
          .toSorted(),
      ).toEqual(names.map((name) => `-${name}`).toSorted());
    });

    it('asks the mapper of the class that a row has, also when it is written through its root', async () => {
      const { manager } = db.dataSource;
      const [square, car, tram] = [
        await manager.save(new Square()),
        await manager.save(new Car()),
        await manager.save(new Tram()),
      ];
      const ids = [square!.id, car!.id, tram!.id];
      db.dispatcher.taken();
      await manager.update(Shape, ids[0]!, { text: 'x' });
      await manager.update(Vehicle, [ids[1]!, ids[2]!] as number[], { text: 'x' });
      await manager.save(Shape, { id: ids[0]!, text: 'y' });
      await manager.delete(Shape, { id: ids[0]! });
      await manager.delete(Vehicle, [ids[1]!, ids[2]!]);
      expect(db.dispatcher.taken()).toEqual([
        [`Square ${ids[0]}`],
        [`Car ${ids[1]}`],
        [`Square ${ids[0]}`],
        [`-Square ${ids[0]}`],
        [`-Car ${ids[1]}`],
      ]);
    });

    it('reports a write by query builder through the unmarked root of a marked child', async () => {
      const query = db.dataSource.createQueryBuilder().update(Vehicle).set({ text: 'x' }).where('id > 0');
      await expect(query.execute()).rejects.toThrow(/by query builder of Car/);
    });
  });
}
