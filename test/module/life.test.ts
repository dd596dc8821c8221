import { EventEmitterModule } from '@nestjs/event-emitter';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { TestingModule } from '@nestjs/testing';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import {
  AtpRecordEntity,
  AutoSyncsWithAtp,
  ParityModule,
  ParityService,
  RecordMapper,
  SessionProvider,
} from 'nestjs-parity';
import { Applications, NoSessions, sqlite } from '../support/applications.js';
import { DID, Note, NoteMapper } from '../support/entities/note.js';

const apps = new Applications();
const parity = (sessions: SessionProvider = new NoSessions()) =>
  ParityModule.forRoot({ sessions, mappers: [NoteMapper] });
const notes = (app: TestingModule) => app.get(DataSource).getRepository(Note);
const note = (fields: Partial<Note> = {}): Note => Object.assign(new Note(), { text: 'hello', ...fields });

@Entity()
@AutoSyncsWithAtp()
class Archived extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ default: 'did:web:archive.test' }) did!: string;
  @Column() text!: string;
}
class ArchivedMapper extends RecordMapper<Archived> {
  readonly entity = Archived;
  readonly collection = 'com.example.archived';
  toRecord({ text }: Archived): Record<string, unknown> {
    return { text };
  }
}

describe('several DataSources', () => {
  const start = async (dataSources: string[], sessions = new NoSessions()) => ({
    sessions,
    app: await apps.start({
      parity: [ParityModule.forRoot({ sessions, dataSources, mappers: [NoteMapper, ArchivedMapper] })],
      imports: [await sqlite([Note]), await sqlite([Archived], 'archive'), EventEmitterModule.forRoot()],
    }),
  });
  const archive = (app: TestingModule) =>
    app.get<DataSource>(getDataSourceToken('archive')).getRepository(Archived);

  it('are all followed when they are named', async () => {
    const { app, sessions } = await start(['default', 'archive']);
    await notes(app).save({ text: 'one' });
    const archived = await archive(app).save(Object.assign(new Archived(), { text: 'two' }));
    expect(sessions.asked).toEqual([DID, 'did:web:archive.test']);
    expect(await archived.toAtpRecord()).toEqual({ $type: 'com.example.archived', text: 'two' });
  });

  it('are left alone when they are not', async () => {
    const { app, sessions } = await start(['archive']);
    await notes(app).save({ text: 'one' });
    await archive(app).save({ text: 'two' });
    expect(sessions.asked).toEqual(['did:web:archive.test']);
    await expect(app.get(ParityService).publish(note({ id: 1 }))).rejects.toThrow(
      /Note is no marked entity of a DataSource.*forRoot\(\{ dataSources \}\)/,
    );
  });
});

describe('shutdown', () => {
  it('waits for what is under way, before the DataSource closes', async () => {
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const sessions = new NoSessions();
    sessions.agentFor = async () => {
      asked.resolve();
      await gate.promise;
      throw new Error('too late');
    };
    const app = await apps.start({ parity: [parity(sessions)] });
    const dataSource = app.get(DataSource);
    const saved = notes(app).save({ text: 'hello' });
    await asked.promise;
    let closed = false;
    const closing = app.close().then(() => (closed = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([closed, dataSource.isInitialized]).toEqual([false, true]);
    gate.resolve();
    await Promise.all([saved, closing]);
    expect(dataSource.isInitialized).toBe(false);
  });

  it('unbinds the methods of the entities and stops listening', async () => {
    const sessions = new NoSessions();
    const app = await apps.start({ parity: [parity(sessions)] });
    const dataSource = app.get(DataSource);
    const before = [...dataSource.subscribers];
    expect(await note({ id: 1 }).toAtpRecord()).not.toBeNull();
    await app.close();
    await expect(async () => note().toAtpRecord()).rejects.toThrow(
      /Note is not known to a running ParityModule.*forRoot/,
    );
    expect(before.length).toBeGreaterThan(0);
    expect(dataSource.subscribers).toEqual([]);
  });
});

describe('two applications in one process with the same entity class', () => {
  it('each follow their own rows, one after the other', async () => {
    for (const round of [1, 2]) {
      const sessions = new NoSessions();
      const app = await apps.start({ parity: [parity(sessions)] });
      await notes(app).save({ text: `round ${round}` });
      expect(sessions.asked).toEqual([DID]);
      await apps.stopAll();
    }
  });

  it('each follow their own rows, at once; the methods of an entity go to the one started last', async () => {
    const [first, second] = [new NoSessions(), new NoSessions()];
    const one = await apps.start({ parity: [parity(first)] });
    const two = await apps.start({ parity: [parity(second)] });
    await notes(one).save(note());
    expect([first.asked.length, second.asked.length]).toEqual([1, 0]);
    const saved = await notes(two).save(note());
    expect([first.asked.length, second.asked.length]).toEqual([1, 1]);

    await saved.publish();
    expect([first.asked.length, second.asked.length]).toEqual([1, 2]);
    await two.close();
    await (await notes(one).findOneByOrFail({ id: 1 })).publish();
    expect([first.asked.length, second.asked.length]).toEqual([2, 2]);
  });
});
