/** What the module adds to `save()` in inline mode: an unmarked entity, an unchanged record, a publish. `npm run bench` */
import { DataSource, type DataSourceOptions, type Logger } from 'typeorm';
import { parityEntities } from 'nestjs-parity';
import { LocalNetwork } from 'nestjs-parity/testing';
import { onEachDatabase } from './support/databases.js';
import { compare, report, type Ratio } from './support/measure.js';
import { application, Bare, CountingSessions, entities, Note, Plain } from './support/setting.js';

/** Counts queries; the rest of TypeORM's logging stays off. */
class QueryCounter implements Logger {
  count = 0;
  logQuery(): void {
    this.count += 1;
  }
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}

const queries = async (counter: QueryCounter, run: () => Promise<unknown>): Promise<number> => {
  counter.count = 0;
  await run();
  return counter.count;
};

/** The same database with the tables of pending syncs. */
const withLedger = (options: DataSourceOptions): DataSourceOptions =>
  ({ ...options, entities: [...entities, ...parityEntities] }) as DataSourceOptions;

const ratios: Ratio[] = [];
const network = await LocalNetwork.start();
const sessions = await CountingSessions.start(network, 'ours.test');
// Another account, so that neither moves the other's head.
const bareSessions = await CountingSessions.start(network, 'theirs.test');
const { did } = sessions.account;

await onEachDatabase(async (kind, options) => {
  const ours = new QueryCounter();
  const theirs = new QueryCounter();
  const logged = (logger: Logger): DataSourceOptions =>
    ({ ...options, logger, logging: ['query'] }) as DataSourceOptions;
  const { app, dataSource } = await application(logged(ours), { sessions, pendingSyncs: { enabled: true } });
  const plain = await new DataSource({
    ...logged(theirs),
    synchronize: false,
  } as DataSourceOptions).initialize();

  let views = 0;
  const unmarked = (source: DataSource) => {
    const repository = source.getRepository(Plain);
    const entity = repository.create({ did, content: 'x' });
    return () => repository.save(Object.assign(entity, { views: ++views }));
  };
  const [saveOurs, saveTheirs] = [unmarked(dataSource), unmarked(plain)];
  await saveOurs();
  await saveTheirs();
  const counted = `${await queries(ours, saveOurs)} and ${await queries(theirs, saveTheirs)} queries`;
  ratios.push({
    ...(await compare(
      `${kind}: save() of an unmarked entity, against plain TypeORM`,
      1.03,
      [
        { name: 'ours', run: saveOurs },
        { name: 'plain', run: saveTheirs },
      ],
      { rounds: 2_000, warmUp: 500 },
    )),
    notes: counted,
  });

  const note = await dataSource.getRepository(Note).save({ did, content: 'the same' } as Note);
  const marked = dataSource.getRepository(Note).create(note);
  const bare = await plain
    .getRepository(Bare)
    .save(plain.getRepository(Bare).create({ did, content: 'the same' }));
  sessions.requests = 0;
  const unchanged = await compare(
    `${kind}: save() of a marked entity whose record stays the same, against plain TypeORM`,
    1.4,
    [
      {
        name: 'ours',
        run: () => dataSource.getRepository(Note).save(Object.assign(marked, { views: ++views })),
      },
      { name: 'plain', run: () => plain.getRepository(Bare).save(Object.assign(bare, { views: ++views })) },
    ],
    { rounds: 2_000, warmUp: 500 },
  );
  ratios.push({ ...unchanged, notes: `${sessions.requests} requests` });

  const publish = async (source: DataSource): Promise<void> => {
    const notes = source.getRepository(Note);
    await notes.save(notes.create({ did, content: `${++views}` }));
  };
  const createRecord = async (): Promise<void> => {
    const content = `${++views}`;
    await plain.getRepository(Bare).save(plain.getRepository(Bare).create({ did, content }));
    await bareSessions.agent.com.atproto.repo.createRecord({
      repo: bareSessions.account.did,
      collection: 'com.example.note',
      record: { content },
    });
  };
  const published = (what: string, goal: number, source: DataSource): Promise<Ratio> =>
    compare(
      `${kind}: ${what}, against createRecord and a plain save()`,
      goal,
      [
        { name: 'ours', run: () => publish(source) },
        { name: 'theirs', run: createRecord },
      ],
      { rounds: 150, warmUp: 20 },
    );
  ratios.push(await published('inline publish', 1.2, dataSource));
  await app.close();

  const durable = await application(withLedger(logged(ours)), {
    sessions,
    pendingSyncs: { enabled: true, storage: 'database' },
  });
  await publish(durable.dataSource);
  const statements = await queries(ours, () => publish(durable.dataSource));
  const ratio = await published('inline publish with database storage', 1.25, durable.dataSource);
  ratios.push({ ...ratio, notes: `${statements} statements` });
  await plain.destroy();
  await durable.app.close();
});
await network.stop();
report(ratios);
