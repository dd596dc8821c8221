import { RecordMapper } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import type { Model } from '../support/entities/model.js';
import { Note, notebook, Owner } from '../support/entities/notebook.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aDatabaseFor, aParityApp, type ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

class LaterMapper extends RecordMapper<Note> {
  readonly entity = Note;
  readonly collection = 'com.example.later';
  override readonly relations = { user: true };
  toRecord = ({ text }: Note): Record<string, unknown> => ({ text });
}

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const kind of databaseKinds) {
  describeDatabase(kind)(`a mapper that has another collection since a deployment (${kind})`, () => {
    it.each([
      ['inline', 'an edit'],
      ['background', 'an edit'],
      ['inline', 'a draft published by hand'],
    ] as const)('writes to it what was waiting (%s, %s)', async (mode, what) => {
      const isDraft = what !== 'an edit';
      const { did, sessions } = await signedIn(servers);
      const database = await aDatabaseFor(kind, notebook);
      const start = (mappers: Model['mappers']) =>
        aParityApp({
          model: { ...notebook, mappers },
          sessions,
          database,
          mode,
          storage: 'database',
          pendingSyncs: { autoRetry: true },
        });
      const records = async (collection: string): Promise<unknown[]> =>
        (await servers.network.listRecords(did, collection)).map(({ value }) => value['text']);

      const before = await start(notebook.mappers);
      const isDone = (app: ParityApp) => async () => !(await app.parity.hasPendingSyncs(did));
      const notes = before.repository(Note);
      const user = await before.repository(Owner).save(Object.assign(new Owner(), { id: 1, did }));
      const note = await notes.save(notes.create({ text: 'a', open: !isDraft, user }));
      await until(isDone(before));
      sessions.revoke(did);
      await notes.save(Object.assign(note, { text: 'edited' })).catch(() => undefined);
      if (isDraft) await before.parity.publish(note).catch(() => undefined);
      await before.stop();

      const after = await start([LaterMapper, ...notebook.mappers.slice(1)]);
      sessions.signIn(did);
      await after.parity.sessionAvailable(did);
      await until(isDone(after));
      expect([await records('com.example.note'), await records('com.example.later')]).toEqual([
        [],
        ['edited'],
      ]);
      const row = await after.repository(Note).findOneByOrFail({ id: note.id });
      expect(row.getAtpCollection()).toBe('com.example.later');
      await after.stop();
      await database.cleanup();
    });
  });
}
