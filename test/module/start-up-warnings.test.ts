import { buildAtprotoLoopbackClientMetadata } from '@atproto/oauth-client-node';
import { Column, Entity, ManyToOne, OneToMany, PrimaryGeneratedColumn, type Relation } from 'typeorm';
import {
  AtpCid,
  AtpMapper,
  AtpRecordEntity,
  AtpRkey,
  AtpUri,
  AutoSyncsWithAtp,
  ParityModule,
  ParityOptionsError,
  PublishesRecords,
  RecordMapper,
  withAtpRecord,
  type EntityClass,
} from 'nestjs-parity';
import { lackingScopes } from '../../lib/sessions/oauth/needed-scopes.js';
import { Applications, NoSessions } from '../support/applications.js';
import { DID, Note, NoteMapper } from '../support/entities/note.js';

const apps = new Applications();
const parity = ParityModule.forRoot({ sessions: NoSessions });

abstract class Text extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
}

function mapperOf(entity: EntityClass<object>, fields: object = {}): new () => RecordMapper {
  @AtpMapper()
  class AnyMapper extends RecordMapper {
    readonly entity = entity;
    readonly collection = 'com.example.text';
    constructor() {
      super();
      Object.assign(this, fields);
    }
    toRecord(): Record<string, unknown> {
      return {};
    }
  }
  return AnyMapper;
}

/** What is told at the start of an application with these entities, each with a mapper. */
async function warnings(...entities: (new () => object)[]): Promise<string[]> {
  await apps.start({ parity: [parity], entities, providers: entities.map((one) => mapperOf(one)) });
  return [...apps.log.lines];
}

describe('a misspelled function of an entity is told, as drafts would be published:', () => {
  it('a method of the entity, with the name that it comes near and what happens without it', async () => {
    @Entity()
    @AutoSyncsWithAtp()
    class Draft extends Text {
      shouldAutosync(): boolean {
        return false;
      }
      syncAsDID(): string {
        return DID;
      }
      shouldAutoUnsyc(): boolean {
        return false;
      }
    }
    expect(await warnings(Draft)).toEqual([
      'warn Draft has shouldAutosync, which nothing asks; did you mean shouldAutoSync()? Without that, every one is published.',
      'warn Draft has syncAsDID, which nothing asks; did you mean syncAsDid()? Without that, the default tells the account that owns its record.',
      'warn Draft has shouldAutoUnsyc, which nothing asks; did you mean shouldAutoUnsync()? Without that, removing one always deletes its record.',
    ]);
  });

  it('a method of a base class, a getter, and a field that holds a function', async () => {
    class Base {
      @PrimaryGeneratedColumn() id!: number;
      should_auto_sync(): boolean {
        return false;
      }
    }
    @Entity()
    @AutoSyncsWithAtp()
    class Inherits extends withAtpRecord(Base) {}
    @Entity()
    @AutoSyncsWithAtp()
    class WithColumns {
      @PrimaryGeneratedColumn() id!: number;
      @AtpUri() uri!: string | null;
      @AtpCid() cid!: string | null;
      @AtpRkey() key!: string | null;
      shouldAutoSnyc = (): boolean => false;
      get syncAsDids(): string {
        throw new Error('a getter is not called');
      }
    }
    expect(await warnings(Inherits, WithColumns)).toEqual([
      expect.stringContaining(
        'Inherits has should_auto_sync, which nothing asks; did you mean shouldAutoSync()?',
      ),
      expect.stringContaining('WithColumns has shouldAutoSnyc, which'),
      expect.stringContaining('WithColumns has syncAsDids, which nothing asks; did you mean syncAsDid()?'),
    ]);
  });

  it('one of the right name that is no method of instances', async () => {
    @Entity()
    @AutoSyncsWithAtp()
    class Static extends Text {
      static shouldAutoSync(): boolean {
        return false;
      }
    }
    @Entity()
    @AutoSyncsWithAtp()
    class Flags {
      @PrimaryGeneratedColumn() id!: number;
      @AtpUri() uri!: string | null;
      @AtpCid() cid!: string | null;
      @AtpRkey() key!: string | null;
      @Column() shouldAutoSync: boolean = false;
      get syncAsDid(): string {
        return DID;
      }
    }
    expect(await warnings(Static, Flags)).toEqual([
      'warn Static.shouldAutoSync is no method of its instances, so it is not asked: every one is published.',
      expect.stringContaining(
        'Flags.syncAsDid is no method of its instances, so it is not asked: the default',
      ),
      'warn Flags.shouldAutoSync is no method of its instances, so it is not asked: every one is published.',
    ]);
  });

  it('but not what is like a function that is there, or that is never asked', async () => {
    @Entity()
    @AutoSyncsWithAtp<Right>({ shouldAutoUnsync: () => true })
    class Right extends Text {
      override shouldAutoSync(): boolean {
        return this.shouldAutosync();
      }
      shouldAutosync(): boolean {
        return false;
      }
      shouldAutoUnsyncs(): boolean {
        return false;
      }
      syncAsAdmin(): string {
        return DID;
      }
    }
    @Entity()
    @AutoSyncsWithAtp()
    class Plain extends Text {
      override shouldAutoSync(): boolean {
        return false;
      }
    }
    @Entity()
    @PublishesRecords()
    class ByHand extends Text {
      shouldAutosync(): boolean {
        return false;
      }
    }
    expect(await warnings(Right, Plain, ByHand)).toEqual([]);
  });
});

describe('a misspelled member of a mapper', () => {
  const start = async (fields: object): Promise<string[]> => {
    await apps.start({ parity: [parity], providers: [mapperOf(Note, fields)] });
    return [...apps.log.lines];
  };

  it.each([
    [{ rKey: () => 'self' }, 'AnyMapper has rKey, which nothing reads; did you mean rkey?'],
    [{ rkeys: () => 'self' }, 'did you mean rkey?'],
    [{ r_key: () => 'self' }, 'did you mean rkey?'],
    [{ _rkey: () => 'self' }, 'did you mean rkey?'],
    [{ rkye: () => 'self' }, 'did you mean rkey?'],
    [{ relation: { user: true } }, 'did you mean relations?'],
    [{ relaitons: { user: true } }, 'did you mean relations?'],
    [{ scheme: { safeValidate: () => ({ success: true }) } }, 'did you mean schema?'],
  ])('is told: %j', async (fields, message) => {
    expect(await start(fields)).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    [{ rkeys: 'a text', key: 'a text', toRecords: () => [] }],
    [{ rkey: () => 'self', key: (): string => 'self' }],
    [{ key: (): string => 'self', pkey: (): string => 'self' }],
  ])('is not what only sounds like one: %#', async (fields) => {
    expect(await start(fields)).toEqual([]);
  });

  it.each([
    [{ rkey: 'self' }, /rkey of AnyMapper is 'self'; it takes a method: override rkey/],
    [{ toRecord: undefined }, /toRecord of AnyMapper is undefined; it takes a method/],
    [{ relations: ['user'] }, /relations of AnyMapper is \["user"\]; it takes an object .* \{ user: true \}/],
    [{ schema: {} }, /schema of AnyMapper is .*; it takes a schema with safeValidate/],
  ])('is refused where it has the name, but cannot be used: %j', async (fields, message) => {
    const started = start(fields);
    await expect(started).rejects.toThrow(ParityOptionsError);
    await expect(started).rejects.toThrow(message);
  });
});

describe('a mapper that maps nothing is told', () => {
  class Unmarked extends Text {}
  @Entity()
  @AutoSyncsWithAtp()
  class Elsewhere extends Text {}

  it('because its entity is not marked', async () => {
    await apps.start({ parity: [parity], providers: [NoteMapper, mapperOf(Unmarked)] });
    expect(apps.log.lines).toEqual([
      expect.stringMatching(
        /^warn AnyMapper maps nothing, because Unmarked is not marked: decorate it with @Auto/,
      ),
    ]);
  });

  it('or is in no DataSource', async () => {
    await apps.start({ parity: [parity], providers: [NoteMapper, mapperOf(Elsewhere)] });
    expect(apps.log.lines).toEqual([
      expect.stringMatching(
        /^warn AnyMapper maps nothing, because Elsewhere is in no DataSource .*\(default\): add/,
      ),
    ]);
  });

  it('and one of a base class whose children are marked is not', async () => {
    @Entity()
    @AutoSyncsWithAtp()
    class Child extends Unmarked {}
    await apps.start({ parity: [parity], entities: [Child], providers: [mapperOf(Unmarked)] });
    expect(apps.log.lines).toEqual([]);
  });
});

describe('relations of a mapper', () => {
  @Entity()
  class Blog {
    @PrimaryGeneratedColumn() id!: number;
    @Column() did!: string;
    @OneToMany(() => Entry, (entry) => entry.blog) entries!: Relation<Entry[]>;
  }
  class Meta {
    @ManyToOne(() => Blog) source!: Relation<Blog>;
  }
  @Entity()
  @AutoSyncsWithAtp()
  class Entry extends Text {
    @ManyToOne(() => Blog, (blog) => blog.entries) blog!: Relation<Blog>;
    @Column(() => Meta) meta!: Meta;
  }
  const start = (relations: object) =>
    apps.start({ parity: [parity], entities: [Blog, Entry], providers: [mapperOf(Entry, { relations })] });

  it.each([
    [
      { blgo: true },
      "relations of AnyMapper names 'blgo', which is no relation of Entry; did you mean 'blog'?",
    ],
    [{ text: true }, "names 'text', which is no relation of Entry. Entry has blog, meta.source."],
    [{ blog: { entry: true } }, "names 'entry', which is no relation of Blog. Blog has entries."],
    [
      { meta: { sources: true } },
      "'meta.sources', which is no relation of Entry; did you mean 'meta.source'?",
    ],
  ])('%j are refused at start-up', async (relations, message) => {
    await expect(start(relations)).rejects.toThrow(ParityOptionsError);
    await expect(start(relations)).rejects.toThrow(message);
  });

  it.each([
    [{}],
    [{ blog: true }],
    [{ blog: { entries: { blog: true } } }],
    [{ blog: false, meta: { source: true } }],
  ])('%j start', async (relations) => {
    await expect(start(relations)).resolves.toBeDefined();
  });
});

describe('scopes that the mappers need and the client metadata lacks', () => {
  it.each([
    ['atproto', ['repo:a.b.c', 'repo:d.e.f']],
    ['atproto repo:a.b.c', ['repo:d.e.f']],
    ['atproto repo:*', []],
    ['atproto repo:a.b.c repo:d.e.f', []],
    ['atproto repo?collection=a.b.c&collection=d.e.f', []],
    ['atproto repo:*?action=create&action=delete', ['repo:a.b.c?action=update', 'repo:d.e.f?action=update']],
    [
      'atproto repo:*?action=create repo:a.b.c?action=update&action=delete',
      ['repo:d.e.f?action=update&action=delete'],
    ],
    ['atproto repo:a.b.* blob:*/*', ['repo:a.b.c', 'repo:d.e.f']],
    ['atproto transition:generic', []],
    ['atproto include:a.b.set', []],
  ])('are of %j: %j', (scope, lacking) => {
    expect(lackingScopes(scope, ['a.b.c', 'd.e.f'])).toEqual(lacking);
  });

  it.each([
    [
      'atproto repo:app.bsky.feed.post',
      ["'atproto repo:app.bsky.feed.post', lacks repo:com.example.note, which the mappers need"],
    ],
    ['atproto repo:com.example.note', []],
  ])('are told at start-up: %s', async (scope, told) => {
    const clientMetadata = buildAtprotoLoopbackClientMetadata({
      scope,
      redirect_uris: ['http://127.0.0.1:3000/oauth/callback'],
    });
    const oauth = { clientMetadata, allowHttp: true, handleResolver: 'http://localhost:1' };
    await apps.start({ parity: [ParityModule.forRoot({ oauth, mappers: [NoteMapper] })] });
    expect(apps.log.lines.filter((line) => line.includes('scope'))).toEqual(
      told.map((message) => expect.stringContaining(message)),
    );
  });
});
