import { setTimeout as sleep } from 'node:timers/promises';
import { PendingSyncManager } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Note, notebook, Owner } from '../support/entities/notebook.js';
import { describeDatabase, type DatabaseKind } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { type Sessions, signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

const places: [DatabaseKind, 'cache' | 'database'][] = [
  ['sqlite', 'cache'],
  ['sqlite', 'database'],
  ['postgres', 'database'],
];
for (const [database, storage] of places) {
  describeDatabase(database)(`a change that deletes a record (${storage}, ${database})`, () => {
    let app: ParityApp;
    let did: string;
    let sessions: Sessions;
    let note: Note;
    beforeEach(async () => {
      ({ did, sessions } = await signedIn(servers));
      app = await aParityApp({
        model: notebook,
        sessions,
        database,
        storage,
        pendingSyncs: { autoRetry: true, ttl: 1 },
      });
      const user = await app.repository(Owner).save(Object.assign(new Owner(), { id: 1, did }));
      note = await app.repository(Note).save(app.repository(Note).create({ text: 'a', open: true, user }));
    });
    afterEach(() => app.stop());

    const records = async (): Promise<number> =>
      (await servers.network.listRecords(did, 'com.example.note')).length;

    it.each([
      ['a removal', (notes) => notes.remove(note)],
      ['a soft removal', (notes) => notes.softRemove(note)],
      ['an edit that is not eligible', (notes) => notes.save(Object.assign(note, { open: false }))],
      ['an update of its row that is not eligible', (notes) => notes.update(note.id, { open: false })],
    ] satisfies [string, (notes: ReturnType<typeof app.repository<Note>>) => Promise<unknown>][])(
      '%s is an unpublish, and never expires',
      async (_what, write) => {
        sessions.revoke(did);
        await write(app.repository(Note)).catch(() => undefined);
        expect(await app.module.get(PendingSyncManager).forDid(did)).toEqual([
          expect.objectContaining({ operation: 'unpublish' }),
        ]);
        await sleep(1_100);
        expect(await app.parity.cleanupPendingSyncs()).toBe(0);
        sessions.signIn(did);
        await app.parity.sessionAvailable(did);
        await until(async () => !(await app.parity.hasPendingSyncs(did)));
        expect(await records()).toBe(0);
      },
    );

    it('differs from an edit, which does expire', async () => {
      sessions.revoke(did);
      await app
        .repository(Note)
        .save(Object.assign(note, { text: 'b' }))
        .catch(() => undefined);
      await sleep(1_100);
      expect(await app.parity.cleanupPendingSyncs()).toBe(1);
      expect(await records()).toBe(1);
    });
  });
}
