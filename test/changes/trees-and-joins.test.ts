import {
  Column,
  Entity,
  JoinTable,
  ManyToMany,
  PrimaryGeneratedColumn,
  Tree,
  TreeChildren,
  TreeParent,
  type Relation,
} from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { track, type Tracked } from './tracked.js';

abstract class Node extends AtpRecordEntity {
  @Column() text!: string;
  get did(): string {
    return 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';
  }
}

@Entity()
@Tree('materialized-path')
@AutoSyncsWithAtp()
class Path extends Node {
  @PrimaryGeneratedColumn() id!: number;
  @TreeParent() parent!: Relation<Path> | null;
  @TreeChildren({ cascade: true }) children!: Relation<Path[]>;
}

@Entity()
@Tree('closure-table')
@AutoSyncsWithAtp()
class Closure extends Node {
  @PrimaryGeneratedColumn() id!: number;
  @TreeParent() parent!: Relation<Closure> | null;
  @TreeChildren({ cascade: true }) children!: Relation<Closure[]>;
}

@Entity()
@Tree('nested-set')
@AutoSyncsWithAtp()
class Nested extends Node {
  @PrimaryGeneratedColumn() id!: number;
  @TreeParent() parent!: Relation<Nested> | null;
  @TreeChildren({ cascade: true }) children!: Relation<Nested[]>;
}

/** Not marked. */
@Entity()
class Tag {
  @PrimaryGeneratedColumn() id!: number;
  @Column() name!: string;
  @ManyToMany(() => Essay, (essay) => essay.tags) essays!: Relation<Essay[]>;
}

@Entity()
@AutoSyncsWithAtp()
class Essay extends Node {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToMany(() => Tag, (tag) => tag.essays, { cascade: true }) @JoinTable() tags!: Relation<Tag[]>;
  /** Which its mapper does not read. */
  @ManyToMany(() => Tag) @JoinTable({ name: 'unread' }) unread!: Relation<Tag[]>;
}

const trees = [Path, Closure, Nested];

const mapperOf = (entity: new () => Node): RecordMapper =>
  new (class extends RecordMapper<Node> {
    readonly entity = entity;
    readonly collection = `com.example.${entity.name.toLowerCase()}`;
    override readonly relations = (entity === Essay ? { tags: true } : {}) as object;
    toRecord = ({ text }: Node): Record<string, unknown> => ({ text });
  })() as RecordMapper;

for (const kind of databaseKinds) {
  describeDatabase(kind)(`writes that TypeORM makes itself (${kind})`, () => {
    let db: Tracked;

    beforeAll(async () => {
      const marked = [...trees, Essay];
      db = await track({
        kind,
        entities: [...marked, Tag],
        mappers: marked.map(mapperOf),
        onBulkWrite: 'throw',
      });
    });
    afterAll(() => db?.stop());
    beforeEach(() => db.dispatcher.taken());
    const told = (): string[] => db.dispatcher.taken().flat().toSorted();

    it.each(trees)('are not reported as bulk writes in a tree (%p)', async (entity) => {
      const nodes = db.dataSource.getTreeRepository<Path>(entity as typeof Path);
      const { name } = entity;
      const make = (text: string, more: Partial<Path> = {}): Path => nodes.create({ text, ...more });
      const root = await nodes.save(make('root', { children: [make('cascaded')] }));
      const cascaded = root.children[0]!;
      const leaf = await nodes.save(make('leaf', { parent: root }));
      expect(told()).toEqual([root, cascaded, leaf].map(({ id }) => `${name} ${id}`).toSorted());
      leaf.parent = cascaded;
      await nodes.save(leaf);
      expect(told()).toEqual([`${name} ${leaf.id}`]);
      await nodes.save(Object.assign(leaf, { text: 'changed' }));
      expect(told()).toEqual([`${name} ${leaf.id}`]);
      const { id } = leaf;
      await nodes.remove(leaf);
      expect(told()).toEqual([`-${name} ${id}`]);
      // That of an application is one all the same.
      const own = nodes.createQueryBuilder().update().set({ text: 'all' }).where('id > 0');
      await expect(own.execute()).rejects.toThrow(`An update by query builder of ${name}`);
      expect(db.warnings).toEqual([]);
    });

    it('dispatch the rows that a join table joins, from both sides', async () => {
      const { manager } = db.dataSource;
      const essay = await manager.save(
        manager.create(Essay, { text: 'one', tags: [{ name: 'a' }, { name: 'b' }] }),
      );
      const label = `Essay ${essay.id}`;
      expect(told()).toEqual([label]);
      essay.tags.pop();
      await manager.save(essay);
      expect(told()).toEqual([label]);
      expect(db.dispatcher.takenChanges().at(-1)?.snapshot).toMatchObject({ tags: [{ name: 'a' }] });
      await manager.save(Tag, { name: 'c', essays: [essay] });
      expect(told()).toEqual([label]);
      const [tag] = await manager.save(Tag, [{ name: 'd' }]);
      await manager.createQueryBuilder().relation(Essay, 'tags').of(essay).add(tag);
      expect(told()).toEqual([label]);
      await manager.save(Essay, { id: essay.id, unread: [tag!] });
      expect(told()).toEqual([]);
      await manager.remove(Tag, tag!);
      expect(told()).toEqual([label]);
      expect(db.warnings).toEqual([]);
    });
  });
}
