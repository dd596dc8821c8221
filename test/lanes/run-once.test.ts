import { PendingSyncRetryResult } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Note, notebook, Owner } from '../support/entities/notebook.js';
import { databaseKinds, describeDatabase, type DatabaseKind } from '../support/databases.js';
import { aParityApp } from '../support/parity-app.js';
import { partsOf } from '../support/pending-parts.js';
import { signedIn } from '../support/sessions.js';

let servers: FaultyNetwork;

beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

/** An application whose loop does not run, with some notes that are to be published. */
async function idleApp(database: DatabaseKind, storage: 'cache' | 'database') {
  const { did, sessions } = await signedIn(servers);
  const app = await aParityApp({ model: notebook, sessions, database, mode: 'background', storage });
  await partsOf(app.module).loop.stop();
  const user = await app.repository(Owner).save({ id: 1, did });
  const notes = app.repository(Note);
  const saved = await notes.save(notes.create(['a', 'b', 'c'].map((text) => ({ text, user }))));
  return { app, did, sessions, notes, saved, [Symbol.asyncDispose]: () => app.stop() };
}

for (const kind of databaseKinds) {
  describeDatabase(kind)(`runOnce() (${kind})`, () => {
    it.each(['cache', 'database'] as const)(
      'publishes what is due, and returns what it did (storage %s)',
      async (storage) => {
        await using idle = await idleApp(kind, storage);
        expect(await idle.app.parity.runOnce()).toMatchObject({
          total: 3,
          succeeded: 3,
          failed: 0,
          errors: [],
        });
        for (const { atpUri } of await idle.notes.find())
          expect(await servers.network.getRecord(atpUri!)).not.toBeNull();
        expect((await idle.app.parity.runOnce()).isEmpty()).toBe(true);
      },
    );

    it('counts an account that has to sign in as one failure, and keeps its changes', async () => {
      await using idle = await idleApp(kind, 'database');
      idle.sessions.revoke(idle.did);
      const result = await idle.app.parity.runOnce();
      expect(result).toMatchObject({ total: 1, failed: 1, errors: [expect.stringContaining('signed out')] });
      expect(await idle.app.parity.countPendingSyncs(idle.did)).toBe(3);
    });
  });
}

it('does nothing while pending syncs are disabled', async () => {
  const { sessions } = await signedIn(servers);
  const app = await aParityApp({ model: notebook, sessions });
  expect(await app.parity.runOnce()).toEqual(new PendingSyncRetryResult(0, 0, 0, 0));
  await app.stop();
});
