import { EventEmitter2, OnEvent } from '@nestjs/event-emitter';
import { Injectable } from '@nestjs/common';
import { MapperError, RecordPublished, RecordUnpublished, SyncFailed } from 'nestjs-parity';
import { answer } from '../support/fault-proxy.js';
import type { ParityApp } from '../support/parity-app.js';
import { Bold } from '../support/entities/bold-and-careful.js';
import { NoteNetwork } from '../support/note-network.js';

@Injectable()
class Throwing {
  readonly heard: string[] = [];

  @OnEvent(RecordPublished.event, { suppressErrors: false })
  onPublished({ uri }: RecordPublished): void {
    this.heard.push(uri);
    throw new Error('listener failed at once');
  }

  @OnEvent(RecordUnpublished.event)
  async onUnpublished({ uri }: RecordUnpublished): Promise<void> {
    this.heard.push(uri);
    throw new Error('listener failed later');
  }
}

let alice: NoteNetwork;
let app: ParityApp;
beforeAll(async () => {
  alice = await NoteNetwork.start();
  app = await alice.app();
});
afterAll(() => alice?.stop());
beforeEach(() => {
  alice.proxy.reset();
  app.taken(Object);
});

const save = (text: string, into = app): Promise<Bold> => into.repository(Bold).save(alice.note(Bold, text));

describe('events', () => {
  it('tell of a record that was created and updated', async () => {
    const note = await save('one');
    const { did } = alice.account;
    const about = { did, uri: note.atpUri, entityName: 'Bold', entityId: String(note.id), entity: note };
    const { atpCid: first } = note;
    await app.repository(Bold).save(Object.assign(note, { text: 'two' }));
    expect(app.events).toEqual([
      Object.assign(Object.create(RecordPublished.prototype), { ...about, cid: first, operation: 'create' }),
      Object.assign(Object.create(RecordPublished.prototype), {
        ...about,
        cid: note.atpCid,
        operation: 'update',
      }),
    ]);
    expect((app.events[0] as RecordPublished).entity).toBe(note);
    expect(first).not.toBe(note.atpCid);
  });

  it('tell nothing of a save that leaves the record as it is', async () => {
    const note = await save('same');
    app.taken(Object);
    await app.repository(Bold).save(Object.assign(note, { text: 'same' }));
    await note.publish();
    expect(app.events).toEqual([]);
  });

  it('tell of a record that was deleted, with the entity if there still is one', async () => {
    const note = await save('short');
    const { id, atpUri: uri } = note;
    await app.repository(Bold).remove(note);
    const kept = await save('kept');
    const { atpUri: second } = kept;
    await kept.unpublish();
    const { did } = alice.account;
    expect(app.taken(RecordUnpublished)).toEqual([
      { did, uri, entityName: 'Bold', entityId: String(id), entity: undefined },
      { did, uri: second, entityName: 'Bold', entityId: String(kept.id), entity: kept },
    ]);
  });

  it('tell of a failed sync with its entity and its error', async () => {
    alice.proxy.fault(
      'com.atproto.repo.applyWrites',
      answer(400, { error: 'InvalidRequest', message: 'Invalid record' }),
    );
    const note = await save('refused');
    const { did } = alice.account;
    const uri = `at://${did}/com.example.bold/${note.atpRkey}`;
    expect(app.taken(SyncFailed)).toEqual([
      {
        did,
        uri,
        operation: 'publish',
        error: expect.objectContaining({ code: 'INVALID_RECORD', did, uri, entityName: 'Bold' }),
        willRetry: false,
        entityName: 'Bold',
        entityId: String(note.id),
        entity: note,
      },
    ]);
  });

  it('tell of a sync that failed before its address was known', async () => {
    const note = await app
      .repository(Bold)
      .save(Object.assign(alice.note(Bold, 'nowhere'), { did: 'nowhere' }));
    const [failed] = app.taken(SyncFailed);
    expect(failed).toMatchObject({ did: undefined, uri: undefined, entityId: String(note.id), entity: note });
    expect(failed?.error).toBeInstanceOf(MapperError);
  });

  it('give several entities that fail together each their own event', async () => {
    alice.proxy.fault(
      'com.atproto.repo.applyWrites',
      answer(429, { error: 'RateLimitExceeded', message: 'later' }),
    );
    const notes = await app.repository(Bold).save([alice.note(Bold, 'a'), alice.note(Bold, 'b')]);
    const failed = app.taken(SyncFailed);
    expect(failed.map(({ entity }) => entity)).toEqual(notes);
    expect(failed.map(({ error }) => (error as MapperError).entityId)).toEqual([undefined, undefined]);
  });
});

describe('a listener that throws', () => {
  it('breaks neither the sync, nor the save, nor other listeners', async () => {
    const broken = await alice.app({}, { providers: [Throwing] });
    const emitter = broken.module.get(EventEmitter2);
    const heard: object[] = [];
    emitter.prependListener('parity.**', () => {
      throw new Error('first listener');
    });
    emitter.prependListener('parity.**', async () => {
      throw new Error('asynchronous listener');
    });
    emitter.on('parity.**', (event: object) => void heard.push(event));
    const note = await save('kept', broken);
    const uri = note.atpUri;
    expect(await alice.text(uri)).toBe('kept');
    await broken.repository(Bold).remove(note);
    expect(await alice.text(uri)).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard.map((event) => event.constructor)).toEqual([RecordPublished, RecordUnpublished]);
    expect(broken.module.get(Throwing).heard).toEqual([uri, uri]);
    expect(broken.log.lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^error A listener of parity\.record\.published failed: /),
      ]),
    );
  });
});
