import { EventEmitterModule } from '@nestjs/event-emitter';
import { Injectable, Scope } from '@nestjs/common';
import {
  Column,
  Entity,
  EntitySchema,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
} from 'typeorm';
import {
  AtpCid,
  AtpMapper,
  AtpRecordEntity,
  AtpRkey,
  AtpUri,
  atpRecordColumns,
  AutoSyncsWithAtp,
  MapperRegistry,
  ParityModule,
  ParityOptionsError,
  PublishesRecords,
  RecordMapper,
} from 'nestjs-parity';
import { Applications, NoSessions, sqlite, type Setup } from '../support/applications.js';
import { Note, NoteMapper } from '../support/entities/note.js';

const apps = new Applications();
/** Of an EntitySchema. */
const id = { type: Number, primary: true, generated: true } as const;
const parity = ParityModule.forRoot({ sessions: NoSessions });

async function refusal(setup: Partial<Setup>): Promise<string> {
  const error: unknown = await apps.start({ parity: [parity], ...setup }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ParityOptionsError);
  return (error as Error).message;
}

/** A mapper as somebody would write it, with something changed. */
function mapper(fields: Partial<RecordMapper<Note>> = {}): new () => RecordMapper<Note> {
  @AtpMapper()
  class OtherMapper extends NoteMapper {
    constructor() {
      super();
      Object.assign(this, fields);
    }
  }
  return OtherMapper;
}

describe('start-up is refused, with the fix,', () => {
  it('for an entity that syncs without a mapper', async () => {
    expect(await refusal({})).toMatch(/Note .*has no mapper.*readonly entity = Note.*@AtpMapper\(\)/);
  });

  it('for two mappers of one entity', async () => {
    expect(await refusal({ providers: [NoteMapper, mapper()] })).toMatch(
      /Note has two mappers, \w+Mapper and \w+Mapper; remove one/,
    );
  });

  it.each(['note', 'com.example.note!', '', undefined])('for a collection that is %p', async (collection) => {
    const broken = mapper({ collection: collection as string });
    expect(await refusal({ providers: [broken] })).toMatch(/OtherMapper\.collection is .*no NSID; write/);
  });

  it('for a mapper without its entity class', async () => {
    const broken = mapper({ entity: undefined as unknown as typeof Note });
    expect(await refusal({ providers: [broken] })).toMatch(
      /OtherMapper\.entity is undefined.*readonly entity/,
    );
  });

  it.each([
    ['request-scoped', Scope.REQUEST],
    ['transient', Scope.TRANSIENT],
  ])('for a %s mapper', async (_name, scope) => {
    @Injectable({ scope })
    @AtpMapper()
    class ScopedMapper extends NoteMapper {}
    expect(await refusal({ providers: [ScopedMapper] })).toMatch(/ScopedMapper is .*make it a singleton/);
  });

  it('for a mapper that injects what is request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Request {}
    @AtpMapper()
    class AskingMapper extends NoteMapper {
      constructor(readonly request: Request) {
        super();
      }
    }
    expect(await refusal({ providers: [Request, AskingMapper] })).toMatch(/AskingMapper is .*singleton/);
  });

  it.each([
    ['uri', AtpCid, AtpRkey],
    ['cid', AtpUri, AtpRkey],
    ['rkey', AtpUri, AtpCid],
  ])('for an entity without the %s column', async (missing, First, Second) => {
    @Entity()
    @PublishesRecords()
    class Bare {
      @PrimaryGeneratedColumn() id!: number;
      @First() first!: string | null;
      @Second() second!: string | null;
    }
    expect(await refusal({ entities: [Bare] })).toMatch(
      new RegExp(`Bare lacks the record column ${missing}\\. Extend AtpRecordEntity .*@AtpUri\\(\\)`),
    );
  });

  it('for an entity without any record column', async () => {
    @Entity()
    @PublishesRecords()
    class Bare {
      @PrimaryGeneratedColumn() id!: number;
    }
    expect(await refusal({ entities: [Bare] })).toMatch(/Bare lacks the record columns uri, cid, rkey/);
  });

  it('for record columns that TypeORM would update, however they are declared', async () => {
    @Entity()
    @PublishesRecords()
    class Loose {
      @PrimaryGeneratedColumn() id!: number;
      @AtpUri({ update: true }) uri!: string | null;
      @AtpCid() cid!: string | null;
      @AtpRkey({ update: true }) rkey!: string | null;
    }
    @Entity()
    @PublishesRecords()
    class Twice {
      @PrimaryGeneratedColumn() id!: number;
      @AtpUri() uri!: string | null;
      @AtpCid() @Column({ type: 'varchar', nullable: true }) cid!: string | null;
      @AtpRkey() rkey!: string | null;
    }
    @PublishesRecords()
    class Plain {
      id!: number;
    }
    const text = { type: 'varchar', nullable: true } as const;
    const schema = new EntitySchema<Plain>({
      name: 'Plain',
      target: Plain,
      columns: { id, atpUri: text, atpCid: text, atpRkey: text } as never,
    });
    for (const [entity, what] of [
      [Loose, /Loose\.uri, Loose\.rkey: .*\{ update: false \}, or take @AtpUri\(\)/],
      [Twice, /Twice\.cid: .*\{ update: false \}/],
      [schema, /Plain\.atpUri, Plain\.atpCid, Plain\.atpRkey: .*\.\.\.atpRecordColumns/],
    ] as const)
      expect(await refusal({ entities: [entity] })).toMatch(what);
  });

  it('for an EntitySchema without record columns, whatever its class extends', async () => {
    @PublishesRecords()
    class Scheme extends AtpRecordEntity {
      id!: number;
    }
    const schema = new EntitySchema<Scheme>({ name: 'Scheme', target: Scheme, columns: { id } });
    expect(await refusal({ entities: [schema] })).toMatch(
      /Scheme lacks the record columns uri, cid, rkey\. .*columns: \{ \.\.\.atpRecordColumns/,
    );
  });

  it('for an EntitySchema without a class', async () => {
    const schema = new EntitySchema({ name: 'Nobody', columns: { id, ...atpRecordColumns } });
    expect(await refusal({ entities: [schema] })).toMatch(
      /Nobody has record columns, but no class.*target: Nobody/,
    );
    const broken = mapper({ entity: schema as never });
    expect(await refusal({ providers: [broken] })).toMatch(
      /OtherMapper\.entity is an EntitySchema; .*target: Post/,
    );
  });

  it('for a primary key that has no one text', async () => {
    @Entity()
    @PublishesRecords()
    class Listed extends AtpRecordEntity {
      @PrimaryColumn({ type: 'simple-json' }) key!: object;
    }
    expect(await refusal({ entities: [Listed] })).toMatch(
      /primary key Listed\.key is of the type simple-json.*transformer/,
    );
  });

  it('for an application without EventEmitterModule', async () => {
    const setup = { imports: [await sqlite([Note])], providers: [NoteMapper] };
    expect(await refusal(setup)).toMatch(/add EventEmitterModule\.forRoot\(\) to the imports/);
  });

  it('for the name of a DataSource that nobody made', async () => {
    const named = ParityModule.forRoot({ sessions: NoSessions, dataSources: ['archive'] });
    expect(await refusal({ parity: [named], providers: [NoteMapper] })).toMatch(
      /no DataSource 'archive'.*TypeOrmModule\.forRoot.*dataSources/,
    );
  });

  it('and a refused start leaves nothing behind in the entities', async () => {
    const named = ParityModule.forRoot({ sessions: NoSessions, dataSources: ['default', 'twin'] });
    const imports = [await sqlite([Note]), await sqlite([Note], 'twin'), EventEmitterModule.forRoot()];
    expect(await refusal({ parity: [named], imports, providers: [NoteMapper] })).toMatch(
      /Note is marked and registered twice/,
    );
    await expect(new Note().toAtpRecord()).rejects.toThrow(/Note is not known to a running/);
  });
});

describe('start-up accepts', () => {
  it('two entities that share a collection', async () => {
    @Entity()
    @AutoSyncsWithAtp()
    class Memo extends AtpRecordEntity {
      @PrimaryGeneratedColumn() id!: number;
      @Column() text!: string;
    }
    @AtpMapper()
    class MemoMapper extends RecordMapper<Memo> {
      readonly entity = Memo;
      readonly collection = 'com.example.note';
      toRecord({ text }: Memo): Record<string, unknown> {
        return { text };
      }
    }
    const app = await apps.start({
      parity: [parity],
      entities: [Note, Memo],
      providers: [NoteMapper, MemoMapper],
    });
    const registry = app.get(MapperRegistry, { strict: false });
    expect(registry.forCollection('com.example.note')).toHaveLength(2);
    expect(registry.collections()).toEqual(['com.example.note']);
  });

  it('an entity that is published by hand only, without a mapper', async () => {
    @Entity()
    @PublishesRecords()
    class Memo extends AtpRecordEntity {
      @PrimaryGeneratedColumn() id!: number;
    }
    await expect(apps.start({ parity: [parity], entities: [Memo] })).resolves.toBeDefined();
  });

  it('entities that a foreign key deletes, with a warning that names the relation', async () => {
    @Entity()
    class Topic {
      @PrimaryGeneratedColumn() id!: number;
      @OneToMany(() => Remark, (remark) => remark.topic) remarks!: Relation<Remark[]>;
    }
    @Entity()
    @AutoSyncsWithAtp()
    class Remark extends AtpRecordEntity {
      @PrimaryGeneratedColumn() id!: number;
      @ManyToOne(() => Topic, (topic) => topic.remarks, { onDelete: 'CASCADE' }) topic!: Relation<Topic>;
      @ManyToOne(() => Topic, { onDelete: 'SET NULL', nullable: true }) other!: Relation<Topic> | null;
    }
    await apps.start({
      parity: [parity],
      entities: [Topic, Remark],
      providers: [mapper({ entity: Remark as never })],
    });
    expect(apps.log.lines).toEqual([
      expect.stringMatching(/^warn Remark\.topic has onDelete: 'CASCADE'.* Topic, .*reconcile\(Remark\)/),
    ]);
  });
});
