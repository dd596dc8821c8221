import { RecordConflictError, RecordPublished, SyncFailed } from 'nestjs-parity';
import type { ParityApp } from '../support/parity-app.js';
import { Bold, BoldProfile, Careful, CarefulProfile } from '../support/entities/bold-and-careful.js';
import { NoteNetwork } from '../support/note-network.js';

let alice: NoteNetwork;
let app: ParityApp;
beforeAll(async () => {
  alice = await NoteNetwork.start();
  app = await alice.app();
});
afterAll(() => alice?.stop());
beforeEach(() => {
  app.taken(SyncFailed);
  app.log.lines.length = 0;
});

const published = async <E extends Bold | Careful>(type: new () => E): Promise<E> => {
  const note = await app.repository(type).save(alice.note(type, 'mine'));
  app.taken(RecordPublished);
  return note;
};
const edit = <E extends Bold | Careful>(note: E): Promise<E> =>
  app.repository(note.constructor as new () => E).save(Object.assign(note, { text: 'edited' }));
const self = (collection: string): string => `at://${alice.account.did}/${collection}/self`;

describe("with onConflict 'overwrite' a record that another app", () => {
  it.each([
    ['changed', 'theirs', 'update'],
    ['deleted', null, 'create'],
  ] as const)(
    '%s is written again, with a warning that names the address',
    async (did, theirs, operation) => {
      const note = await published(Bold);
      await alice.meddle(note.atpUri!, theirs);
      await edit(note);
      expect(await alice.text(note.atpUri)).toBe('edited');
      expect(app.log.lines).toEqual([
        `warn The record ${note.atpUri} of Bold ${note.id} was ${did} by somebody else. It is overwritten (onConflict: 'overwrite').`,
      ]);
      expect(app.taken(RecordPublished)).toEqual([expect.objectContaining({ operation, uri: note.atpUri })]);
    },
  );

  it('created at a fixed key is overwritten, with that warning', async () => {
    const uri = self('com.example.bold');
    await alice.meddle(uri, 'theirs');
    const note = await app.repository(BoldProfile).save(alice.note(BoldProfile, 'mine'));
    expect([note.atpUri, await alice.text(uri)]).toEqual([uri, 'mine']);
    expect(app.log.lines).toEqual([
      expect.stringContaining(`The record ${uri} of BoldProfile ${note.id} was created by`),
    ]);
  });

  it('changed is deleted with its entity, with that warning', async () => {
    const note = await published(Bold);
    const uri = note.atpUri!;
    await alice.meddle(uri, 'theirs');
    await app.repository(Bold).remove(note);
    expect(await alice.text(uri)).toBeUndefined();
    expect(app.log.lines).toEqual([expect.stringContaining(`${uri} of Bold`)]);
  });

  it('has left alone is no conflict, whatever else that app writes', async () => {
    const note = await published(Bold);
    await alice.meddle(self('com.example.else'), 'theirs');
    await edit(note);
    expect(await alice.text(note.atpUri)).toBe('edited');
    expect(app.log.lines).toEqual([]);
  });
});

describe("with onConflict 'fail' a record that another app", () => {
  const expectConflict = (uri: string, did: string): void => {
    const [event, ...others] = app.taken(SyncFailed);
    expect(others).toEqual([]);
    expect(event?.error).toBeInstanceOf(RecordConflictError);
    expect(event?.error).toMatchObject({
      did: alice.account.did,
      uri,
      entityName: expect.stringMatching(/^Careful/),
    });
    expect(event?.error.message).toMatch(
      `The record ${uri} of ${event?.entityName} ${event?.entityId} was ${did} by somebody else.`,
    );
    expect(event?.error.message).toMatch(/Nothing was overwritten.*settle it by hand/);
  };

  it.each([
    ['changed', 'theirs'],
    ['deleted', null],
  ] as const)('%s stays so, and the row keeps what was saved', async (did, theirs) => {
    const note = await published(Careful);
    await alice.meddle(note.atpUri!, theirs);
    await edit(note);
    expectConflict(note.atpUri!, did);
    expect(await alice.text(note.atpUri)).toBe(theirs ?? undefined);
    expect(await app.repository(Careful).findOneByOrFail({ id: note.id })).toMatchObject({ text: 'edited' });
    expect(await note.publish()).toMatchObject({ status: 'failed', error: { code: 'RECORD_CONFLICT' } });
  });

  it('created at a fixed key stays as it is', async () => {
    const uri = self('com.example.careful');
    await alice.meddle(uri, 'theirs');
    const note = await app.repository(CarefulProfile).save(alice.note(CarefulProfile, 'mine'));
    expectConflict(uri, 'created');
    expect([note.hasAtpRecord(), await alice.text(uri)]).toEqual([false, 'theirs']);
  });

  it('changed is not deleted with its entity', async () => {
    const note = await published(Careful);
    const uri = note.atpUri!;
    await alice.meddle(uri, 'theirs');
    await app.repository(Careful).remove(note);
    expectConflict(uri, 'changed');
    expect(await alice.text(uri)).toBe('theirs');
  });

  it('deleted, and whose entity goes too, is no conflict', async () => {
    const note = await published(Careful);
    await alice.meddle(note.atpUri!, null);
    await app.repository(Careful).remove(note);
    expect(app.taken(SyncFailed)).toEqual([]);
  });
});
