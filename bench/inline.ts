/** What the module adds to `save()` in inline mode: an unmarked entity, an unchanged record, a publish. `npm run bench` */
import { DataSource, type DataSourceOptions, type Logger } from 'typeorm';
import { LocalNetwork } from 'nestjs-parity/testing';
import { onEachDatabase } from './support/databases.js';
import { compare, report, type Ratio } from './support/measure.js';
import { application, Bare, CountingSessions, Note, Plain } from './support/setting.js';

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

  ratios.push(
    await compare(
      `${kind}: inline publish, against createRecord and a plain save()`,
      1.2,
      [
        {
          name: 'ours',
          run: () =>
            dataSource
              .getRepository(Note)
              .save(dataSource.getRepository(Note).create({ did, content: `${++views}` })),
        },
        {
          name: 'theirs',
          run: async () => {
            const content = `${++views}`;
            await plain.getRepository(Bare).save(plain.getRepository(Bare).create({ did, content }));
            await bareSessions.agent.com.atproto.repo.createRecord({
              repo: bareSessions.account.did,
              collection: 'com.example.note',
              record: { content },
            });
          },
        },
      ],
      { rounds: 150, warmUp: 20 },
    ),
  );
  await plain.destroy();
  await app.close();
});
await network.stop();
report(ratios);
