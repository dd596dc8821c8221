import { RowRefusedError, SyncFailed } from 'nestjs-parity';
import { isWrite } from '../support/fault-proxy.js';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Note, notebook, Owner } from '../support/entities/notebook.js';
import { Sessions } from '../support/sessions.js';
import { databaseKinds, describeDatabase, type DatabaseKind } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { until } from '../support/until.js';

const ACCOUNTS = 4;

let servers: FaultyNetwork;
let app: ParityApp;
let owners: Owner[];
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());
afterEach(() => app.stop());

async function start(kind: DatabaseKind, mode: 'inline' | 'background', accounts: number, poolSize: number) {
  servers.proxy.reset();
  const sessions = new Sessions();
  owners = [];
  for (let id = 1; id <= accounts; id++) {
    const account = await servers.account();
    sessions.agents.set(account.did, await servers.agent(account));
    owners.push(Object.assign(new Owner(), { id, did: account.did }));
  }
  app = await aParityApp({
    model: notebook,
    sessions,
    database: kind,
    mode,
    storage: 'database',
    pendingSyncs: { autoRetry: true },
    dataSource: { poolSize },
  });
  await app.repository(Owner).save(owners);
}

const note = (user: Owner, text: string): Note => app.repository(Note).create({ text, open: true, user });
const isDone = async (): Promise<boolean> => (await app.parity.stats()).pending === 0;

for (const kind of databaseKinds.filter((one) => one !== 'sqlite')) {
  describeDatabase(kind)(`rows that a transaction of the application holds (${kind})`, () => {
    it('keep no connection waiting, and name their records after that transaction', async () => {
      await start(kind, 'background', ACCOUNTS, 3);
      const notes = await app.repository(Note).save(owners.map((owner) => note(owner, 'a')));
      await until(isDone);
      const go = Promise.withResolvers<void>();
      let arrived = 0;
      servers.proxy.fault(
        isWrite,
        async (exchange) => {
          arrived += 1;
          await go.promise;
          exchange.respond(await exchange.forward());
        },
        ACCOUNTS,
      );
      for (const one of notes) await app.repository(Note).save(Object.assign(one, { text: 'b' }));
      await until(() => arrived === ACCOUNTS, 30_000);

      await app.dataSource.transaction(async (manager) => {
        await manager.query("UPDATE note SET text = 'c'");
        go.resolve();
        await until(async () => (await app.parity.stats()).leased === 0, 30_000);
        // A second connection, and one for another caller.
        await Promise.all([
          app.dataSource.query('SELECT 1'),
          app.repository(Owner).save(Object.assign(new Owner(), { id: 99, did: 'did:plc:nobody' })),
        ]);
        expect(await app.parity.stats()).toMatchObject({ pending: ACCOUNTS, parked: 0, dead: 0 });
      });
      await app.parity.reconcile(Note);
      await until(isDone, 30_000);
      for (const { did } of owners) {
        const [record] = await servers.network.listRecords(did, 'com.example.note');
        expect(record?.value['text']).toBe('c');
      }
      expect(app.taken(SyncFailed)).toEqual([]);
    });
  });
}

const REFUSING: Record<DatabaseKind, readonly string[]> = {
  sqlite: [
    "CREATE TRIGGER refuses BEFORE UPDATE ON note WHEN NEW.text = 'bad' BEGIN SELECT RAISE(ABORT, 'not this row'); END",
  ],
  postgres: [
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this row'; END $$",
    "CREATE TRIGGER refuses BEFORE UPDATE ON note FOR EACH ROW WHEN (NEW.text = 'bad') EXECUTE FUNCTION refuse()",
  ],
  mariadb: [
    "CREATE TRIGGER refuses BEFORE UPDATE ON note FOR EACH ROW BEGIN IF NEW.text = 'bad' THEN " +
      "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this row'; END IF; END",
  ],
};

for (const kind of databaseKinds) {
  describeDatabase(kind)(`a row that the database refuses to update (${kind})`, () => {
    it('fails alone and is reported, and the others of its batch are settled', async () => {
      await start(kind, 'inline', 1, 5);
      for (const statement of REFUSING[kind]) await app.dataSource.query(statement);
      const [owner] = owners as [Owner];
      const { did } = owner;
      const notes = await app
        .repository(Note)
        .save(['one', 'two', 'bad', 'three', 'four'].map((text) => note(owner, text)));
      expect(notes.map((one) => one.hasAtpRecord())).toEqual([true, true, false, true, true]);
      const failures = app.taken(SyncFailed);
      expect(failures).toHaveLength(1);
      expect(failures[0]?.error).toBeInstanceOf(RowRefusedError);
      expect(failures[0]?.error.message).toContain('not this row');
      expect(await app.parity.countPendingSyncs(did)).toBe(1);

      await app.dataSource.query(
        kind === 'postgres' ? 'DROP TRIGGER refuses ON note' : 'DROP TRIGGER refuses',
      );
      expect(await app.parity.retryPendingSyncs(did)).toMatchObject({ total: 1, succeeded: 1 });
      const row = await app.repository(Note).findOneByOrFail({ text: 'bad' });
      const records = await servers.network.listRecords(did, 'com.example.note');
      expect([row.hasAtpRecord(), records.length]).toEqual([true, 5]);
    });
  });
}

const IGNORING: Record<'sqlite' | 'postgres', readonly string[]> = {
  sqlite: REFUSING.sqlite.map((statement) =>
    statement.replace("RAISE(ABORT, 'not this row')", 'RAISE(IGNORE)'),
  ),
  postgres: REFUSING.postgres.map((statement) =>
    statement.replace("RAISE EXCEPTION 'not this row'", 'RETURN NULL'),
  ),
};

for (const kind of ['sqlite', 'postgres'] as const) {
  describeDatabase(kind)(`a row whose update the database ignores (${kind})`, () => {
    it('is not reported as written, alone or in a batch', async () => {
      await start(kind, 'inline', 1, 5);
      for (const statement of IGNORING[kind]) await app.dataSource.query(statement);
      const [owner] = owners as [Owner];
      const notes = await app.repository(Note).save(['one', 'bad'].map((text) => note(owner, text)));
      notes.push(await app.repository(Note).save(note(owner, 'bad')));
      expect(notes.map((one) => one.hasAtpRecord())).toEqual([true, false, false]);
      expect(app.taken(SyncFailed).map(({ error }) => error)).toEqual([
        expect.any(RowRefusedError),
        expect.any(RowRefusedError),
      ]);
      expect(await app.parity.countPendingSyncs(owner.did)).toBe(2);
    });
  });
}

for (const [how, triggers] of Object.entries({ refuses: REFUSING, 'passes over': IGNORING })) {
  for (const kind of ['sqlite', 'postgres'] as const) {
    describeDatabase(kind)(`a row without a record key that the database ${how} (${kind})`, () => {
      it('fails alone and is reported, by reconcile and by hand', async () => {
        await start(kind, 'inline', 1, 5);
        const [owner] = owners as [Owner];
        await app.repository(Note).save(['one', 'bad', 'two'].map((text) => note(owner, text)));
        await app.dataSource.query('UPDATE note SET "atpUri" = NULL, "atpCid" = NULL, "atpRkey" = NULL');
        for (const statement of triggers[kind]) await app.dataSource.query(statement);
        const { failed, errors } = await app.parity.reconcile(Note);
        expect(failed).toBe(1);
        expect(errors[0]?.message).toContain('refuses to write a record key');
        await until(async () => {
          const notes = await app.repository(Note).findBy([{ text: 'one' }, { text: 'two' }]);
          return notes.every((one) => one.hasAtpRecord());
        });
        const bad = await app.repository(Note).findOneByOrFail({ text: 'bad' });
        const { status, error } = await app.parity.publish(bad);
        expect([status, error]).toEqual(['failed', expect.any(RowRefusedError)]);
      });
    });
  }
}
