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
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { track, type Tracked } from './tracked.js';

const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';

abstract class Owned extends AtpRecordEntity {
  @Column({ default: '' }) text!: string;
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

const keyed: Record<string, () => [Owned, ...Owned[]]> = {
  'composite keys': () => [
    Object.assign(new Pair(), { left: 1, right: 'a"b' }),
    Object.assign(new Pair(), { left: 1, right: 'c' }),
  ],
  'uuid keys': () => [new Token(), new Token()],
  'Date keys': () => [Object.assign(new Day(), { day: new Date('2026-01-02T03:04:05.678Z') })],
};

for (const kind of databaseKinds) {
  describeDatabase(kind)(`keys and inheritance (${kind})`, () => {
    let db: Tracked;

    beforeAll(async () => {
      const marked = [Pair, Token, Day, Sheet, Shape, Square, Car];
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
        const entities = make();
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

    if (kind === 'postgres') {
      it('knows a uuid that is written in another way than in the row', async () => {
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
