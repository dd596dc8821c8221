/** What it costs `save()` to capture its change in its own transaction, and to find that there is nothing to write. `node bench/dist/capture.js` */
import { parityEntities, ParityService } from 'nestjs-parity';
import { LocalNetwork } from 'nestjs-parity/testing';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { setTimeout as sleep } from 'node:timers/promises';
import { onEachDatabase } from './support/databases.js';
import { compare, report, type Ratio } from './support/measure.js';
import { application, Bare, CountingSessions, entities, NoSessions, Note } from './support/setting.js';

const PARKED = 'did:plc:xxxxxxxxxxxxxxxxxxxxxxxx';
const ONE = { rounds: 60, warmUp: 12, times: 50, rest: 20 };
const MANY = { rounds: 60, warmUp: 10, rest: 20 };

const ratios: Ratio[] = [];
const network = await LocalNetwork.start();
const sessions = await CountingSessions.start(network, 'capture.test');

await onEachDatabase(async (kind, options) => {
  const withLedger = { ...options, entities: [...entities, ...parityEntities] } as DataSourceOptions;
  await captured(kind, withLedger);
  await unchanged(kind, withLedger);
});
await network.stop();
report(ratios);

/** In background mode, for an account that is parked: whatever is saved, nothing else is done. */
async function captured(kind: string, options: DataSourceOptions): Promise<void> {
  const { app, dataSource } = await application(options, {
    sessions: new NoSessions(),
    sync: { mode: 'background' },
    pendingSyncs: { enabled: true, storage: 'database' },
  });
  const plain = await withoutTheModule(options);
  const note = () => dataSource.manager.create(Note, { did: PARKED, content: 'x' });
  const bare = () => plain.manager.create(Bare, { did: PARKED, content: 'x' });
  await dataSource.manager.save(note());
  while ((await app.get(ParityService).stats()).parked === 0) await sleep(20);

  const ours = { name: 'ours', run: () => dataSource.manager.save(note()) };
  const limit = kind === 'SQLite' ? 1.3 : 1.6;
  ratios.push(
    await compare(
      `${kind}: save() of one, captured, against plain TypeORM`,
      limit,
      [ours, { name: 'plain', run: () => plain.manager.save(bare()) }],
      ONE,
    ),
  );
  if (kind !== 'SQLite') {
    const withSelect = (): Promise<unknown> =>
      plain.transaction(async (manager) => {
        await manager.save(bare());
        await manager.query('SELECT 1');
      });
    ratios.push(
      await compare(
        `${kind}: save() of one, captured, against plain TypeORM with a SELECT 1 in its transaction`,
        1.3,
        [ours, { name: 'plain with SELECT 1', run: withSelect }],
        ONE,
      ),
    );
  }
  ratios.push(
    await compare(
      `${kind}: save([500]), captured, against plain TypeORM`,
      limit,
      [
        { name: 'ours', run: () => dataSource.manager.save(Array.from({ length: 500 }, note)) },
        { name: 'plain', run: () => plain.manager.save(Array.from({ length: 500 }, bare)) },
      ],
      MANY,
    ),
  );
  await plain.destroy();
  await app.close();
}

/** Inline: what is edited is not in the record. */
async function unchanged(kind: string, options: DataSourceOptions): Promise<void> {
  const { app, dataSource } = await application(options, {
    sessions,
    pendingSyncs: { enabled: true, storage: 'database' },
  });
  const plain = await withoutTheModule(options);
  const { did } = sessions.account;
  const note = await dataSource.manager.save(dataSource.manager.create(Note, { did, content: 'the same' }));
  const bare = await plain.manager.save(plain.manager.create(Bare, { did, content: 'the same' }));
  let views = 0;
  sessions.requests = 0;
  const ratio = await compare(
    `${kind}: save() of one whose record stays the same, pending syncs in the database, against plain TypeORM`,
    kind === 'SQLite' ? 1.5 : 2.0,
    [
      { name: 'ours', run: () => dataSource.manager.save(Object.assign(note, { views: ++views })) },
      { name: 'plain', run: () => plain.manager.save(Object.assign(bare, { views: ++views })) },
    ],
    ONE,
  );
  ratios.push({ ...ratio, notes: `${sessions.requests} requests` });
  await plain.destroy();
  await app.close();
}

/** On SQLite in a file of its own: each commit of one connection empties the page cache of another, and an application has only one. */
function withoutTheModule(options: DataSourceOptions): Promise<DataSource> {
  const own =
    options.type === 'better-sqlite3' ? { database: `${options.database}.plain` } : { synchronize: false };
  return new DataSource({ ...options, ...own } as DataSourceOptions).initialize();
}
