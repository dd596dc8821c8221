import { ParityService } from 'nestjs-parity';
import { NoSessions } from '../support/applications.js';
import { DID, Note, notes } from '../support/entities/note.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';

for (const database of databaseKinds) {
  describeDatabase(database)(`a touch() in a transaction (${database})`, () => {
    let app: ParityApp;
    let note: Note;
    beforeEach(async () => {
      app = await aParityApp({
        model: notes,
        sessions: new NoSessions(),
        database,
        mode: 'background',
        storage: 'database',
        dataSource: { poolSize: 1 },
      });
      note = await app.repository(Note).save(Object.assign(new Note(), { text: 'hello' }));
      await app.module.get(ParityService).cleanupPendingSyncs();
      await app.dataSource.query('DELETE FROM parity_ledger');
    });
    afterEach(() => app?.stop());

    const pending = (): Promise<number> => app.parity.countPendingSyncs(DID);
    it('is part of a transaction of the DataSource', async () => {
      const { dataSource, parity } = app;
      const rolledBack = dataSource.transaction(async () => {
        await parity.touch(note);
        throw new Error('no');
      });
      await expect(rolledBack).rejects.toThrow('no');
      expect(await pending()).toBe(0);
      expect(await dataSource.transaction(() => parity.touch(note))).toMatchObject({ status: 'pending' });
      expect(await pending()).toBe(1);
    });

    it('is part of the transaction of the manager that it is given', async () => {
      const runner = app.dataSource.createQueryRunner();
      for (const end of ['rollbackTransaction', 'commitTransaction'] as const) {
        await runner.startTransaction();
        expect(await app.parity.touch(note, runner.manager)).toMatchObject({ status: 'pending' });
        await runner[end]();
      }
      await runner.release();
      expect(await pending()).toBe(1);
    });
  });
}
