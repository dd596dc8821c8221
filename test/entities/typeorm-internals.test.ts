import {
  AfterLoad,
  Column,
  DataSource,
  Entity,
  EventSubscriber,
  ManyToOne,
  PrimaryGeneratedColumn,
  type EntitySubscriberInterface,
} from 'typeorm';

/* What lib/entities relies on of TypeORM without its documentation saying so. */

@Entity()
class Owner {
  @PrimaryGeneratedColumn() id!: number;
  @Column() name!: string;
}

@Entity()
class Thing {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Owner, { lazy: true, nullable: true }) owner!: Promise<Owner | null>;
  loaded = 0;

  @AfterLoad()
  count(): void {
    this.loaded += 1;
  }
}

@EventSubscriber()
class Listener implements EntitySubscriberInterface<Thing> {
  afterLoad(): void {}
}

let dataSource: DataSource;

beforeAll(async () => {
  dataSource = await new DataSource({
    type: 'better-sqlite3',
    database: ':memory:',
    entities: [Owner, Thing],
    synchronize: true,
  }).initialize();
  const owner = await dataSource.getRepository(Owner).save({ name: 'Ada' });
  await dataSource.getRepository(Thing).insert({ owner: owner as never });
});

afterAll(() => dataSource.destroy());

const aThing = (): Promise<Thing> => dataSource.getRepository(Thing).findOneByOrFail({ id: 1 });

/** The properties by which `loadFromPrimary` tells whether a lazy relation is loaded. */
const marksOf = (thing: Thing): (string | undefined)[] => {
  const { __promise_owner__, __has_owner__, __owner__ } = thing as unknown as Record<string, unknown>;
  return [__promise_owner__ && 'promise', __has_owner__ && 'has', __owner__ && 'value'].map((mark) =>
    typeof mark === 'string' ? mark : undefined,
  );
};

describe('a lazy relation of TypeORM', () => {
  it('is a property of the instance itself, with a getter and a setter that can be replaced', async () => {
    const property = Object.getOwnPropertyDescriptor(await aThing(), 'owner');
    expect(property).toMatchObject({
      get: expect.any(Function),
      set: expect.any(Function),
      configurable: true,
    });
  });

  it('bears no mark while it is not loaded', async () => {
    expect(marksOf(await aThing())).toEqual([undefined, undefined, undefined]);
  });

  it('bears a mark while its promise is under way, and others once it is loaded', async () => {
    const thing = await aThing();
    const owner = thing.owner;
    expect(marksOf(thing)).toEqual(['promise', undefined, undefined]);
    await owner;
    expect(marksOf(thing)).toEqual([undefined, 'has', 'value']);
  });

  it('bears the marks of a loaded one after its setter was given a value', async () => {
    const thing = await aThing();
    const { set } = Object.getOwnPropertyDescriptor(thing, 'owner')!;
    set!.call(thing, { id: 7, name: 'Grace' });
    expect(marksOf(thing)).toEqual([undefined, 'has', 'value']);
    expect(await thing.owner).toMatchObject({ name: 'Grace' });
  });

  it('counts as loaded after its setter was given null', async () => {
    const thing = await aThing();
    const { set } = Object.getOwnPropertyDescriptor(thing, 'owner')!;
    set!.call(thing, null);
    expect(marksOf(thing)[1]).toBe('has');
    expect(await thing.owner).toBeNull();
  });
});

describe('what TypeORM computes when it loads a row', () => {
  it('is told by the listeners of the class, and by the subscribers of the DataSource', () => {
    const { afterLoadListeners } = dataSource.getMetadata(Thing);
    expect(afterLoadListeners.map(({ propertyName }) => propertyName)).toEqual(['count']);
    expect(dataSource.getMetadata(Owner).afterLoadListeners).toEqual([]);
    const listener = new Listener();
    dataSource.subscribers.push(listener);
    expect(dataSource.subscribers.some(({ afterLoad }) => afterLoad)).toBe(true);
    dataSource.subscribers.splice(dataSource.subscribers.indexOf(listener), 1);
    expect(dataSource.subscribers.some(({ afterLoad }) => afterLoad)).toBe(false);
  });

  it('is computed for a row that is loaded, and not for an instance that is inserted', async () => {
    expect((await aThing()).loaded).toBe(1);
    const thing = await dataSource.manager.save(dataSource.manager.create(Thing, {}));
    expect(thing.loaded).toBe(0);
  });
});
