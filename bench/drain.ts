/** How fast pending syncs are worked off, against writing the same records by hand. `node bench/dist/drain.js [one|many]` */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { ParityService, parityEntities, RecordPublished } from 'nestjs-parity';
import { LocalNetwork } from 'nestjs-parity/testing';
import { DataSource, In, type DataSourceOptions } from 'typeorm';
import { GatedAccounts } from './support/gated-accounts.js';
import { onEachDatabase } from './support/databases.js';
import type { HttpClock } from './support/http-clock.js';
import { median, medians, report, type Contestant, type Ratio } from './support/measure.js';
import { collection, contents, createOf, recordOf } from './support/notes.js';
import { application, Bare, entities, Note } from './support/setting.js';

const ENTITIES = 2_000;
const CHUNK = 200;
const LANES = 10;
const ONE_BY_ONE = 100;
/** A worker runs for days: the first rounds of a process are not its speed. */
const OPTIONS = { rounds: 9, warmUp: 3 };

/** Runs `work`, and remembers which share of its time passed outside HTTP. */
async function shared(http: HttpClock, shares: number[], work: () => Promise<unknown>): Promise<void> {
  const [start, inHttp] = [performance.now(), http.time];
  await work();
  const total = performance.now() - start;
  shares.push(1 - (http.time - inHttp) / total);
}

const ofRounds = (shares: readonly number[]): number => median(shares.slice(OPTIONS.warmUp));

/** Entities are saved while the gate is closed; then it opens, until nothing is pending. */
function drain(app: INestApplicationContext, accounts: GatedAccounts, outside: number[]): Contestant {
  const parity = app.get(ParityService);
  const notes = app.get(DataSource).getRepository(Note);
  let published = 0;
  let all = Promise.withResolvers<void>();
  app.get(EventEmitter2).on(RecordPublished.event, () => {
    published += 1;
    if (published === ENTITIES) all.resolve();
  });
  return {
    name: 'ours',
    prepare: async () => {
      published = 0;
      all = Promise.withResolvers();
      accounts.close();
      await notes.save(notes.create(contents(ENTITIES, accounts.dids)));
      // As autovacuum does within a minute.
      if (notes.manager.dataSource.options.type === 'postgres') await notes.query('ANALYZE');
      // The first lanes are leased by then.
      await sleep(300);
    },
    run: () =>
      shared(accounts.http, outside, async () => {
        accounts.open();
        await all.promise;
        while ((await parity.stats()).pending > 0) await sleep(10);
      }),
  };
}

async function oneDid(
  kind: string,
  app: INestApplicationContext,
  [ours, batched, single]: GatedAccounts[],
): Promise<Ratio[]> {
  if (!ours || !batched || !single) return [];
  const [outside, outsideByHand]: [number[], number[]] = [[], []];
  const note = { title: 'A title', language: 'en' };
  const [[repo = ''], [singleRepo = '']] = [batched.dids, single.dids];
  const [agent, singly] = [await batched.agentFor(repo), await single.agentFor(singleRepo)];
  let writes: ReturnType<typeof createOf>[] = [];
  const byHand: Contestant = {
    name: 'applyWrites',
    prepare: async () => {
      writes = contents(ENTITIES, [repo]).map(({ content }) => createOf({ ...note, content }));
    },
    run: () =>
      shared(batched.http, outsideByHand, async () => {
        for (let at = 0; at < ENTITIES; at += CHUNK)
          await agent.com.atproto.repo.applyWrites({ repo, writes: writes.slice(at, at + CHUNK) });
      }),
  };
  const oneByOne: Contestant = {
    name: 'createRecord',
    run: async () => {
      for (const { content } of contents(ONE_BY_ONE, [singleRepo])) {
        const record = recordOf({ ...note, content });
        await singly.com.atproto.repo.createRecord({ repo: singleRepo, collection, record });
      }
    },
  };
  const measured = await medians([drain(app, ours, outside), byHand, oneByOne], OPTIONS);
  const [time = 0, timeByHand = 0, timeOfSome = 0] = measured;
  const timeOneByOne = (timeOfSome * ENTITIES) / ONE_BY_ONE;
  const share = ofRounds(outside);
  return [
    {
      what: `${kind}: 2,000 entities of one DID, against bare applyWrites`,
      ratio: time / timeByHand,
      limit: 1 / 0.9,
      ours: time,
      theirs: timeByHand,
      notes: `${Math.round((ENTITIES / time) * 1_000)} records/s`,
    },
    {
      what: `${kind}: … against createRecord one by one`,
      ratio: time / timeOneByOne,
      limit: 1 / 6,
      ours: time,
      theirs: timeOneByOne,
      notes: `${(timeOneByOne / time).toFixed(1)} times as fast`,
    },
    {
      what: `${kind}: … what of it is outside HTTP`,
      ratio: share,
      limit: 0.1,
      ours: share * time,
      theirs: time,
      notes: `${ofRounds(outsideByHand).toFixed(3)} by hand`,
    },
  ];
}

async function manyDids(
  kind: string,
  app: INestApplicationContext,
  [ours, byHand]: GatedAccounts[],
): Promise<Ratio[]> {
  if (!ours || !byHand) return [];
  const outside: number[] = [];
  const bare = app.get(DataSource).getRepository(Bare);
  let waiting: [did: string, ids: number[]][] = [];
  const loop: Contestant = {
    name: 'by hand',
    prepare: async () => {
      const saved = await bare.save(bare.create(contents(ENTITIES, byHand.dids)));
      const lanes = Map.groupBy(saved, ({ did }) => did);
      waiting = [...lanes].map(([did, group]) => [did, group.map(({ id }) => id)]);
    },
    run: async () => {
      const lane = async (): Promise<void> => {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
          const [repo, ids] = next;
          const found = await bare.find({ where: { id: In(ids) } });
          const agent = await byHand.agentFor(repo);
          await agent.com.atproto.repo.applyWrites({ repo, writes: found.map(createOf) });
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
    },
  };
  const [time = 0, timeByHand = 0] = await medians([drain(app, ours, outside), loop], OPTIONS);
  return [
    {
      what: `${kind}: 2,000 entities of 100 DIDs in ten lanes, against a loop by hand`,
      ratio: time / timeByHand,
      limit: 1 / 0.9,
      ours: time,
      theirs: timeByHand,
      notes: `${Math.round((ENTITIES / time) * 1_000)} records/s, ${ofRounds(outside).toFixed(3)} outside HTTP`,
    },
  ];
}

const ratios: Ratio[] = [];
await using network = await LocalNetwork.start();
const scenes = [
  { name: 'one', measure: oneDid, accounts: [1, 1, 1] },
  { name: 'many', measure: manyDids, accounts: [100, 100] },
].filter(({ name }) => name === (process.argv[2] ?? name));
for (const { name, measure, accounts: counts } of scenes) {
  const accounts = await Promise.all(
    counts.map((count, index) => GatedAccounts.start(network, `${name}-${index}`, count)),
  );
  await onEachDatabase(async (kind, options) => {
    const { app } = await application(
      { ...options, entities: [...entities, ...parityEntities] } as DataSourceOptions,
      {
        sessions: accounts[0] as GatedAccounts,
        sync: { mode: 'background' },
        pendingSyncs: { enabled: true, storage: 'database' },
        // One round of 2,000 would use up the hour.
        pds: { writeLimits: [] },
      },
    );
    ratios.push(...(await measure(kind, app, accounts)));
    await app.close();
  });
}
report(ratios);
