import { setTimeout as sleep } from 'node:timers/promises';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import {
  AtpRecordEntity,
  AutoSyncsWithAtp,
  MapperError,
  PendingSyncDiscarded,
  RecordMapper,
  RetryLaterError,
  SyncFailed,
} from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { databaseKinds, describeDatabase, type DatabaseKind } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { type Sessions, signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

type Question = 'toRecord' | 'shouldAutoSync' | 'syncAsDid';

/** What the functions ask, and how it fails. */
const outage: { of: Question | null; fails: () => unknown } = { of: null, fails: () => undefined };
const ask = async (question: Question, text: string): Promise<void> => {
  if (outage.of === question && text === 'asks') await outage.fails();
};

@Entity()
@AutoSyncsWithAtp()
class Leaf extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() account!: string;
  @Column() text!: string;

  override async syncAsDid(): Promise<string> {
    await ask('syncAsDid', this.text);
    return this.account;
  }

  override async shouldAutoSync(): Promise<boolean> {
    await ask('shouldAutoSync', this.text);
    return true;
  }
}

class LeafMapper extends RecordMapper<Leaf> {
  readonly entity = Leaf;
  readonly collection = 'com.example.leaf';
  async toRecord({ text }: Leaf): Promise<Record<string, unknown>> {
    await ask('toRecord', text);
    return { text };
  }
}

let servers: FaultyNetwork;
let app: ParityApp;
let did: string;
let sessions: Sessions;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());
beforeEach(async () => {
  ({ did, sessions } = await signedIn(servers));
});
afterEach(async () => {
  outage.of = null;
  await app.stop();
});

const start = async (
  database: DatabaseKind,
  storage: 'cache' | 'database',
  functionTimeoutMs = 10_000,
  poolSize = 10,
) => {
  app = await aParityApp({
    model: { entities: [Leaf], mappers: [LeafMapper] },
    sessions,
    database,
    storage,
    pendingSyncs: { autoRetry: true, maxAttempts: 2 },
    dataSource: { poolSize },
    parity: { sync: { functionTimeoutMs } },
  });
};
const save = (text: string): Promise<Leaf> =>
  app.repository(Leaf).save(app.repository(Leaf).create({ account: did, text }));
const texts = async (): Promise<unknown[]> =>
  (await servers.network.listRecords(did, 'com.example.leaf')).map(({ value }) => value['text']).toSorted();

const places: [DatabaseKind, 'cache' | 'database'][] = [
  ['sqlite', 'cache'],
  ...databaseKinds.map((kind) => [kind, 'database'] as [DatabaseKind, 'database']),
];
for (const [database, storage] of places) {
  describeDatabase(database)(`when a service that an entity asks is away (${storage}, ${database})`, () => {
    const failures: [string, () => unknown][] = [
      [
        'says that it is to be tried later',
        () => {
          throw new RetryLaterError('The language service is away', { retryAt: new Date(Date.now() + 100) });
        },
      ],
      ['meets an error of the database', () => app.dataSource.query('SELECT * FROM no_such_table')],
    ];
    for (const question of ['toRecord', 'shouldAutoSync', 'syncAsDid'] satisfies Question[]) {
      it.each(failures)(
        `${question} %s: the change is kept, uses up no attempt, and holds up no other`,
        async (_how, fails) => {
          await start(database, storage);
          Object.assign(outage, { of: question, fails });
          await save('asks');
          await save('another');
          expect(await texts()).toEqual(['another']);
          for (let round = 1; round <= 4; round++) await app.parity.retryPendingSyncs(did);
          await save('a third');
          expect(await texts()).toEqual(['a third', 'another']);
          outage.of = null;
          const lanes = [did, 'did:parity:unresolved'];
          await until(async () => {
            for (const one of lanes) await app.parity.retryPendingSyncs(one);
            return (await texts()).length === 3;
          });
          expect((await app.repository(Leaf).findOneByOrFail({ text: 'asks' })).hasAtpRecord()).toBe(true);
          expect(app.taken(PendingSyncDiscarded)).toEqual([]);
        },
      );
    }

    it.each(['toRecord', 'shouldAutoSync', 'syncAsDid'] satisfies Question[])(
      '%s never answers: the attempt fails with its name, the others go on, and shutdown ends',
      async (question) => {
        await start(database, storage, 300);
        Object.assign(outage, { of: question, fails: () => new Promise(() => undefined) });
        await save('asks');
        const failed = app.taken(SyncFailed);
        expect(failed.map(({ error }) => error)).toEqual([expect.any(MapperError)]);
        expect(failed[0]?.error.message).toContain(`${question}() failed for Leaf`);
        expect(failed[0]?.error.message).toContain('did not answer within 300 ms');
        await save('another');
        expect(await texts()).toEqual(['another']);
      },
    );

    it('syncAsDid never answers: many entities are asked in parallel, and none inside its transaction', async () => {
      await start(database, storage, 300);
      let open = 0;
      let most = 0;
      const fails = async (): Promise<void> => {
        most = Math.max(most, ++open);
        await sleep(3_000);
        open -= 1;
      };
      Object.assign(outage, { of: 'syncAsDid', fails });
      const leaves = Array.from({ length: 5 }, () =>
        app.repository(Leaf).create({ account: did, text: 'asks' }),
      );
      await app.repository(Leaf).save(leaves);
      expect(most).toBeGreaterThanOrEqual(leaves.length);
      outage.of = null;
      await until(async () => {
        await app.parity.retryPendingSyncs('did:parity:unresolved');
        return (await texts()).length === leaves.length;
      });
    });

    it('statusOf finds the pending sync of an entity whose account could not be determined', async () => {
      await start(database, storage);
      const fails = (): never => {
        throw new Error('broken');
      };
      Object.assign(outage, { of: 'syncAsDid', fails });
      const leaf = await save('asks');
      const uri = expect.stringContaining('did:parity:unresolved');
      expect(await app.parity.statusOf(leaf)).toMatchObject({ status: 'pending', uri });
      await app.parity.retryPendingSyncs('did:parity:unresolved');
      await until(async () => (await app.parity.statusOf(leaf)).status === 'failed');
      expect(await app.parity.statusOf(leaf)).toMatchObject({
        uri,
        error: expect.stringContaining('broken'),
        deadLetter: null,
      });
    });

    it('syncAsDid asks the database: one connection is enough', async () => {
      await start(database, storage, 10_000, 1);
      Object.assign(outage, { of: 'syncAsDid', fails: () => app.dataSource.query('SELECT 1') });
      const leaves = await Promise.all(Array.from({ length: 5 }, () => save('asks')));
      expect(leaves.filter((leaf) => !leaf.hasAtpRecord())).toEqual([]);
      expect(app.taken(SyncFailed)).toEqual([]);
      await until(async () => (await app.parity.stats()).pending === 0);
      expect((await servers.network.commits(did)).flatMap(({ ops }) => ops)).toHaveLength(leaves.length);
    });
  });
}

it('on SQLite a worker reads nothing inside the transaction of another caller, however long it is', async () => {
  await start('sqlite', 'database');
  const leaf = await save('first');
  const runner = app.dataSource.createQueryRunner();
  sessions.revoke(did);
  await app
    .repository(Leaf)
    .save(Object.assign(leaf, { text: 'committed' }))
    .catch(() => undefined);
  sessions.signIn(did);
  await runner.startTransaction();
  await runner.query("UPDATE leaf SET text = 'rolled back'");
  const signal = app.parity.sessionAvailable(did);
  await sleep(6_000);
  await runner.rollbackTransaction();
  await signal;
  await until(async () => !(await app.parity.hasPendingSyncs(did)), 20_000);
  expect(await texts()).toEqual(['committed']);
  const commits = (await servers.network.commits(did)).flatMap(({ ops }) => ops);
  expect(commits).toHaveLength(2);
});
