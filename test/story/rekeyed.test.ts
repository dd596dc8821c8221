import { FaultyNetwork } from '../support/faulty-network.js';
import { Note, notebook, Owner } from '../support/entities/notebook.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { type Sessions, signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const kind of databaseKinds) {
  describeDatabase(kind)(`rows whose primary keys a migration has changed (${kind})`, () => {
    let app: ParityApp;
    let did: string;
    let sessions: Sessions;
    let owner: Owner;
    beforeEach(async () => {
      ({ did, sessions } = await signedIn(servers));
      app = await aParityApp({
        model: notebook,
        sessions,
        database: kind,
        storage: 'database',
        pendingSyncs: { autoRetry: true },
      });
      owner = await app.repository(Owner).save(Object.assign(new Owner(), { id: 1, did }));
    });
    afterEach(() => app.stop());

    const note = (text: string): Promise<Note> =>
      app.repository(Note).save(app.repository(Note).create({ text, open: true, user: owner }));
    const rekey = () => app.dataSource.query('UPDATE note SET id = id + 1000');
    const records = async (): Promise<unknown[]> =>
      (await servers.network.listRecords(did, 'com.example.note')).map(({ value }) => value['text']);
    const isDone = async (): Promise<boolean> => !(await app.parity.hasPendingSyncs(did));

    it('keep their records through a reconciliation', async () => {
      await note('a');
      await note('b');
      await rekey();
      for (let run = 1; run <= 2; run++) {
        expect(await app.parity.reconcile(Note)).toMatchObject({
          checked: 2,
          deletes: 0,
          gone: 0,
          waiting: 0,
        });
        await until(isDone);
      }
      expect((await records()).toSorted()).toEqual(['a', 'b']);
    });

    it("keep their records where a key is another row's now", async () => {
      const notes = app.repository(Note);
      const rows = [await note('a'), await note('b')];
      sessions.revoke(did);
      for (const row of rows)
        await notes.save(Object.assign(row, { text: `${row.text} edited` })).catch(() => undefined);
      await app.dataSource.query('UPDATE note SET id = -1 - id');
      await app.dataSource.query('UPDATE note SET id = -id');
      sessions.signIn(did);
      await app.parity.sessionAvailable(did);
      await until(isDone);
      expect((await records()).toSorted()).toEqual(['a edited', 'b edited']);
    });

    it('lose the record of a row that is gone as well', async () => {
      await note('a');
      await note('b');
      await rekey();
      await app.dataSource.query("DELETE FROM note WHERE text = 'b'");
      expect(await app.parity.reconcile(Note)).toMatchObject({ deletes: 1, gone: 1 });
      await until(isDone);
      expect(await records()).toEqual(['a']);
    });

    it('get the edit that was pending under the old key', async () => {
      const edited = await note('a');
      sessions.revoke(did);
      await app
        .repository(Note)
        .save(Object.assign(edited, { text: 'edited' }))
        .catch(() => undefined);
      await note('new').catch(() => undefined);
      await rekey();
      sessions.signIn(did);
      await app.parity.sessionAvailable(did);
      await until(isDone);
      expect((await records()).toSorted()).toEqual(['edited', 'new']);
      const rows = await app.repository(Note).find({ order: { id: 'ASC' } });
      expect(rows.map((row) => [row.id > 1000, row.hasAtpRecord()])).toEqual([
        [true, true],
        [true, true],
      ]);
    });
  });
}
