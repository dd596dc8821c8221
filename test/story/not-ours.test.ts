import { RecordConflictError, SyncFailed } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { dropResponse } from '../support/fault-proxy.js';
import { databaseKinds, describeDatabase, type DatabaseKind } from '../support/databases.js';
import { aParityApp, type AppOptions, type ParityApp } from '../support/parity-app.js';
import { type Sessions, signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';
import { PlainProfile, profiles, TakingProfile } from './profiles.js';

let servers: FaultyNetwork;
let did: string;
let sessions: Sessions;
let app: ParityApp;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());
beforeEach(async () => {
  servers.proxy.reset();
  ({ did, sessions } = await signedIn(servers));
});
afterEach(() => app.stop());

const uri = (): string => `at://${did}/com.example.profile/self`;
const anotherAppWrites = async (text: string): Promise<void> => {
  const agent = sessions.agents.get(did)!;
  const record = { $type: 'com.example.profile', text };
  await agent.com.atproto.repo.putRecord({ repo: did, collection: record.$type, rkey: 'self', record });
};
const text = async (): Promise<unknown> => (await servers.network.getRecord(uri()))?.value['text'];
const isDone = async (): Promise<boolean> => !(await app.parity.hasPendingSyncs(did));
const signIn = async (): Promise<void> => {
  sessions.signIn(did);
  await app.parity.sessionAvailable(did);
};

const storages: [DatabaseKind, 'cache' | 'database'][] = [
  ['sqlite', 'cache'],
  ...databaseKinds.map((kind) => [kind, 'database'] as [DatabaseKind, 'database']),
];
for (const [database, storage] of storages) {
  describeDatabase(database)(`a record that another application made (${storage}, ${database})`, () => {
    const start = async (options: Pick<AppOptions, 'mode' | 'parity'> = {}): Promise<void> => {
      const pendingSyncs = { autoRetry: true };
      app = await aParityApp({ model: profiles, sessions, database, storage, pendingSyncs, ...options });
    };

    it('stays when a draft of its address is removed in the background', async () => {
      await start({ mode: 'background' });
      await anotherAppWrites('theirs');
      const profile = await app
        .repository(PlainProfile)
        .save(app.repository(PlainProfile).create({ did, text: 'mine', open: false }));
      await app.repository(PlainProfile).remove(profile);
      await until(isDone);
      expect(await text()).toBe('theirs');
    });

    it.each(['removed', 'switched off'] as const)(
      'stays when the entity to be published there is %s before the account signs in again',
      async (what) => {
        await start();
        await anotherAppWrites('theirs');
        sessions.revoke(did);
        const rows = app.repository(PlainProfile);
        const profile = rows.create({ did, text: 'mine', open: true });
        await rows.save(profile).catch(() => undefined);
        if (what === 'removed') await rows.remove(profile).catch(() => undefined);
        else await rows.save(Object.assign(profile, { open: false })).catch(() => undefined);
        await signIn();
        await until(isDone);
        expect(await text()).toBe('theirs');
      },
    );

    it('is adopted if it is the same, and is then deleted with its entity', async () => {
      await start();
      await anotherAppWrites('same');
      const rows = app.repository(PlainProfile);
      const profile = await rows.save(rows.create({ did, text: 'same', open: true }));
      expect(profile.atpUri).toBe(uri());
      await rows.remove(profile);
      expect(await text()).toBeUndefined();
    });

    it('is not overwritten otherwise, and the error says how to take it over', async () => {
      await start();
      await anotherAppWrites('theirs');
      const rows = app.repository(PlainProfile);
      const profile = await rows.save(rows.create({ did, text: 'mine', open: true }));
      expect([profile.hasAtpRecord(), await text()]).toEqual([false, 'theirs']);
      const [{ error }] = app.taken(SyncFailed) as [SyncFailed];
      expect(error).toBeInstanceOf(RecordConflictError);
      expect(error.message).toContain("PlainProfile with @AutoSyncsWithAtp({ onConflict: 'overwrite' })");
    });

    it('is taken over if the application asks for that', async () => {
      await start();
      await anotherAppWrites('theirs');
      const rows = app.repository(TakingProfile);
      await rows.save(rows.create({ did, text: 'mine', open: true }));
      expect(await text()).toBe('mine');
    });

    it('counts as ours if an earlier request whose answer was lost has created it', async () => {
      await start({ parity: { sync: { deadlineMs: 60_000 } } });
      servers.proxy.fault('com.atproto.repo.applyWrites', dropResponse, 9);
      const rows = app.repository(PlainProfile);
      const profile = rows.create({ did, text: 'mine', open: true });
      await rows.save(profile);
      expect(await text()).toBe('mine');
      servers.proxy.reset();
      await rows.remove(profile);
      await app.parity.retryPendingSyncs(did);
      expect([await isDone(), await text()]).toEqual([true, undefined]);
    });
  });
}
