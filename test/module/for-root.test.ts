import { Inject, Injectable, Module } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule } from '@nestjs/event-emitter';
import { DataSource } from 'typeorm';
import {
  AtpMapper,
  MapperRegistry,
  ParityModule,
  ParityService,
  RecordMapper,
  SessionProvider,
  SyncFailed,
  type ParityModuleOptions,
  type ParityOptionsFactory,
} from 'nestjs-parity';
import { Applications, NoSessions, sqlite } from '../support/applications.js';
import { Note, NoteMapper } from '../support/entities/note.js';

const apps = new Applications();
const note = Object.assign(new Note(), { id: 1, text: 'hello' });
const mapped = { $type: 'com.example.note', text: 'hello' };

describe('the set-up of the module', () => {
  it('is done with forRoot(options)', async () => {
    const app = await apps.start({
      parity: [ParityModule.forRoot({ sessions: NoSessions, mappers: [NoteMapper] })],
    });
    expect(await app.get(ParityService).toRecord(note)).toEqual(mapped);
  });

  it('is done with forRootAsync({ useFactory, inject, imports })', async () => {
    @Module({
      providers: [{ provide: 'SESSIONS', useFactory: later(new NoSessions()) }],
      exports: ['SESSIONS'],
    })
    class SessionsModule {}
    const parity = ParityModule.forRootAsync({
      imports: [SessionsModule],
      inject: ['SESSIONS'],
      useFactory: async (sessions: NoSessions): Promise<ParityModuleOptions> => ({ sessions }),
      mappers: [NoteMapper],
    });
    const app = await apps.start({ parity: [parity] });
    expect(await app.get(ParityService).toRecord(note)).toEqual(mapped);
    expect(app.get(SessionProvider)).toBe(app.get('SESSIONS', { strict: false }));
  });

  it('is done with forRootAsync({ useClass })', async () => {
    const parity = ParityModule.forRootAsync({ useClass: Options, mappers: [NoteMapper] });
    const app = await apps.start({ parity: [parity] });
    expect(app.get(SessionProvider)).toBeInstanceOf(NoSessions);
  });

  it('is done with forRootAsync({ useExisting })', async () => {
    @Module({ providers: [Options], exports: [Options] })
    class OptionsModule {}
    const parity = ParityModule.forRootAsync({
      imports: [OptionsModule],
      useExisting: Options,
      mappers: [NoteMapper],
    });
    const app = await apps.start({ parity: [parity] });
    expect(app.get(SessionProvider)).toBeInstanceOf(NoSessions);
  });

  it('does not depend on the order of the imports', async () => {
    const database = await sqlite([Note]);
    const parity = ParityModule.forRoot({ sessions: NoSessions, mappers: [NoteMapper] });
    for (const imports of [
      [parity, database, EventEmitterModule.forRoot()],
      [EventEmitterModule.forRoot(), database, parity],
    ]) {
      const app = await apps.start({ parity: [], imports });
      const failed = new Promise((resolve) => app.get(EventEmitter2).once(SyncFailed.event, resolve));
      await app.get(DataSource).getRepository(Note).save({ text: 'hello' });
      expect(await failed).toMatchObject({ entityName: 'Note' });
      await apps.stopAll();
    }
  });

  it('is global: a feature module injects ParityService without importing anything', async () => {
    @Injectable()
    class Feature {
      constructor(readonly parity: ParityService) {}
    }
    @Module({ providers: [Feature] })
    class FeatureModule {}
    const app = await apps.start({
      parity: [ParityModule.forRoot({ sessions: NoSessions, mappers: [NoteMapper] }), FeatureModule],
    });
    expect(await app.get(Feature, { strict: false }).parity.toRecord(note)).toEqual(mapped);
  });
});

describe('mappers', () => {
  @Injectable()
  class Suffix {
    readonly text = '!';
  }
  @Module({ providers: [Suffix], exports: [Suffix] })
  class SuffixModule {}
  @AtpMapper()
  class LoudMapper extends RecordMapper<Note> {
    readonly entity = Note;
    readonly collection = 'com.example.note';
    constructor(private readonly suffix: Suffix) {
      super();
    }
    toRecord({ text }: Note): Record<string, unknown> {
      return { text: text + this.suffix.text };
    }
  }
  const loud = { ...mapped, text: 'hello!' };
  const withoutMappers = ParityModule.forRoot({ sessions: NoSessions });

  it('are found by their decorator in any module, with ordinary injection', async () => {
    @Module({ imports: [SuffixModule], providers: [LoudMapper] })
    class FeatureModule {}
    const app = await apps.start({ parity: [withoutMappers, FeatureModule] });
    expect(await app.get(ParityService).toRecord(note)).toEqual(loud);
  });

  it('are provided by forFeature(mappers), which takes what they inject as imports', async () => {
    const feature = ParityModule.forFeature([LoudMapper], { imports: [SuffixModule] });
    const app = await apps.start({ parity: [withoutMappers, feature] });
    expect(await app.get(ParityService).toRecord(note)).toEqual(loud);
  });

  it('are provided by forRoot({ mappers, imports }), with or without their decorator', async () => {
    class PlainMapper extends LoudMapper {
      constructor(@Inject(Suffix) suffix: Suffix) {
        super(suffix);
      }
    }
    const parity = ParityModule.forRoot({
      sessions: NoSessions,
      mappers: [PlainMapper],
      imports: [SuffixModule],
    });
    const app = await apps.start({ parity: [parity] });
    expect(await app.get(ParityService).toRecord(note)).toEqual(loud);
  });

  it.each([
    ['useFactory', { provide: 'MAPPER', useFactory: () => new LoudMapper(new Suffix()) }],
    ['useValue', { provide: LoudMapper, useValue: new LoudMapper(new Suffix()) }],
    ['useClass', { provide: NoteMapper, useClass: LoudMapper }],
  ])('are found when they are provided with %s', async (_how, provider) => {
    const app = await apps.start({ parity: [withoutMappers], providers: [Suffix, provider] });
    expect(await app.get(ParityService).toRecord(note)).toEqual(loud);
  });

  it('are in the MapperRegistry once, however often they are provided', async () => {
    const app = await apps.start({
      parity: [withoutMappers],
      providers: [Suffix, LoudMapper, { provide: 'ALIAS', useExisting: LoudMapper }],
    });
    expect(app.get(MapperRegistry, { strict: false }).all()).toEqual([app.get(LoudMapper)]);
  });
});

@Injectable()
class Options implements ParityOptionsFactory {
  createParityOptions(): ParityModuleOptions {
    return { sessions: NoSessions };
  }
}

function later<T>(value: T): () => Promise<T> {
  return () => new Promise((resolve) => setTimeout(resolve, 20, value));
}
