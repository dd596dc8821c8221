import {
  Column,
  DataSource,
  Entity,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  type Relation,
} from 'typeorm';
import {
  AtpMapper,
  AtpRecordEntity,
  ParityModule,
  ParityService,
  PublishesRecords,
  RecordMapper,
} from 'nestjs-parity';
import { Applications, NoSessions } from '../support/applications.js';
import { DID } from '../support/entities/note.js';

@Entity()
class Owner {
  @PrimaryGeneratedColumn() id!: number;
  @Column() handle!: string;
  @OneToMany(() => Blog, (blog) => blog.owner) blogs!: Relation<Blog[]>;
}

@Entity()
class Blog {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Owner, (owner) => owner.blogs) owner!: Relation<Owner>;
  @OneToMany(() => Entry, (entry) => entry.blog) entries!: Relation<Entry[]>;
}

@Entity()
@PublishesRecords()
class Entry extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Blog, (blog) => blog.entries) blog!: Relation<Blog>;
  @OneToMany(() => Tag, (tag) => tag.entry) tags!: Relation<Tag[]>;

  override syncAsDid(): string | null | undefined {
    return code.owner(this);
  }
}

@Entity()
class Tag {
  @PrimaryGeneratedColumn() id!: number;
  @ManyToOne(() => Entry, (entry) => entry.tags) entry!: Relation<Entry>;
}

/** What the entity and its mapper do, as each test has it. */
const code: { owner: (entry: Entry) => string | null | undefined; record: (entry: Entry) => object } = {
  owner: () => DID,
  record: () => ({}),
};

const apps = new Applications();

/** What publishing an entry by hand says. */
async function told(relations: object, given: Partial<typeof code>): Promise<string> {
  Object.assign(code, { owner: () => DID, record: () => ({}) }, given);
  @AtpMapper()
  class EntryMapper extends RecordMapper<Entry> {
    readonly entity = Entry;
    readonly collection = 'com.example.entry';
    override readonly relations = relations;
    toRecord(entry: Entry): Record<string, unknown> {
      return { ...code.record(entry) };
    }
  }
  const entities = [Owner, Blog, Entry, Tag];
  const app = await apps.start({
    parity: [ParityModule.forRoot({ sessions: NoSessions, mappers: [EntryMapper] })],
    entities,
  });
  const { manager } = app.get(DataSource);
  const owner = await manager.save(Object.assign(new Owner(), { handle: 'alice.test' }));
  const blog = await manager.save(Object.assign(new Blog(), { owner }));
  const { id } = await manager.save(Object.assign(new Entry(), { blog }));
  const entry = await manager.findOneByOrFail(Entry, { id });
  const parity = app.get(ParityService);
  const mapped = await parity.toRecord(entry).then(
    () => undefined,
    (error: Error) => error,
  );
  const failure = mapped ?? (await parity.publish(entry)).error;
  return `${failure?.name}: ${failure?.message}`;
}

describe('code that reads a relation which no mapper names is told to name it:', () => {
  it.each<[string, object, Partial<typeof code>, string]>([
    [
      'the owner of what is not loaded',
      {},
      { owner: ({ blog }) => blog.owner.handle },
      "MapperError: Entry.syncAsDid() failed for Entry 1: Cannot read properties of undefined (reading 'owner') " +
        '(not loaded: blog. Name what is read in relations of EntryMapper, such as { blog: true })',
    ],
    [
      'a relation of a relation',
      { blog: true },
      { owner: ({ blog }) => blog.owner.handle },
      "(reading 'handle') (not loaded: blog.owner. Name what is read in relations of EntryMapper, such as { blog: { owner: true } })",
    ],
    [
      'a list',
      { blog: true },
      { record: ({ tags }) => ({ tags: tags.map(({ id }) => id) }) },
      "EntryMapper.toRecord() failed for Entry 1: Cannot read properties of undefined (reading 'map') (not loaded: tags, blog.entries.",
    ],
    ['a list that is walked', {}, { record: ({ tags }) => ({ tags: [...tags].length }) }, '(not loaded: '],
    [
      'a relation that may be missing, so that there is no owner',
      {},
      { owner: (entry) => (entry.blog as Blog | undefined)?.owner.handle },
      'has no DID: syncAsDid() gave none, so there is no account to publish in (not loaded: blog. Name what is read',
    ],
  ])('%s', async (_what, relations, given, message) => {
    expect(await told(relations, given)).toContain(message);
  });

  it.each<[string, object, Partial<typeof code>]>([
    ['all is loaded', { blog: { owner: true, entries: true }, tags: true }, { owner: () => null }],
    ['it failed for itself', {}, { record: () => JSON.parse('nonsense') as object }],
    [
      'it read something else',
      {},
      { record: () => ({ text: (undefined as unknown as { text: string }).text }) },
    ],
  ])('but not where %s', async (_what, relations, given) => {
    const message = await told(relations, given);
    expect(message).toMatch(/has no DID|failed for/);
    expect(message).not.toContain('not loaded');
  });
});
