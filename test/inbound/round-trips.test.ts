import { setTimeout as sleep } from 'node:timers/promises';
import { firehose, RecordApplied } from 'nestjs-parity';
import { databaseKinds, describeDatabase, type DatabaseKind } from '../support/databases.js';
import { memoModel, type MemoBase } from '../support/entities/memo.js';
import { FaultProxy, isWrite } from '../support/fault-proxy.js';
import { PerturbedSource } from '../support/inbound/perturbed.source.js';
import { InboundStage } from '../support/inbound-stage.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { Random } from '../support/random.js';
import { seedsOf } from '../support/seed.js';
import { passwordsOf } from '../support/sessions.js';
import { until } from '../support/until.js';

const MEMO = 'com.example.memo';
const TRIPS = Number(process.env['PARITY_ROUND_TRIPS'] ?? 120);
const [SEED] = seedsOf('PARITY_ROUND_TRIPS_SEED');
const DAY = 86_400_000;

/** Writes on both sides at once, whose events are told early, late, twice and in any order. */
class RoundTrips {
  private readonly random = new Random(SEED);
  private count = 0;

  constructor(
    private readonly stage: InboundStage,
    private readonly app: ParityApp,
    private readonly Memo: new () => MemoBase,
  ) {}

  /** One write of either side. */
  async trip(): Promise<void> {
    const { random } = this;
    const rows = await this.memos.find();
    const row = random.pick(rows);
    const text = `text ${++this.count}`;
    const kind = rows.length < 8 ? 0 : random.below(6);
    if (kind === 0 || !row?.atpRkey || !row.atpUri) await this.create(text);
    else if (kind === 1) await this.memos.save(Object.assign(row, { text }));
    else if (kind === 2) await this.memos.remove(row);
    else if (kind < 5) await this.stage.put(MEMO, row.atpRkey, { text });
    else await this.stage.delete(MEMO, row.atpRkey);
  }

  private async create(text: string): Promise<void> {
    const { did } = this.stage;
    if (this.random.next() < 0.5)
      await this.memos.save(Object.assign(new this.Memo(), { did, text, mood: null }));
    else await this.stage.put(MEMO, `key-${this.count}`, { text });
  }

  private get memos() {
    return this.app.repository<MemoBase>(this.Memo);
  }
}

const texts = (records: Iterable<{ uri: string; text: unknown }>) =>
  [...records].map(({ uri, text }) => `${uri} ${String(text)}`).toSorted();

describe.each(databaseKinds)('On %s', (database: DatabaseKind) => {
  describeDatabase(database)('writes of both sides, whose events come early, late and twice', () => {
    it(
      'end equal, without an echo, a duplicate row, or a step back',
      async () => {
        const stage = await InboundStage.start();
        await using proxy = await FaultProxy.start();
        Object.assign(proxy, { target: stage.network.pdsUrl, takesSessions: true });
        const { Memo, ...model } = memoModel();
        const { pdsUrl, plcUrl } = stage.network;
        const random = new Random(SEED + 1);
        const source = new PerturbedSource(firehose({ service: pdsUrl }), random, 0.2);
        const app = await aParityApp({
          model,
          database,
          storage: 'database',
          sessions: passwordsOf(proxy.url, stage.account),
          parity: { inbound: { plcDirectoryUrl: plcUrl, allowHttp: true, importOnSignIn: false, source } },
        });
        try {
          await app.parity.import(stage.did);
          // Three in ten answers come after the event of their write.
          const late = (): boolean => random.next() < 0.3;
          proxy.fault(
            (exchange) => isWrite(exchange) && late(),
            async (exchange) => {
              const answer = await exchange.forward();
              await sleep(40);
              exchange.respond(answer);
            },
            Infinity,
          );
          const trips = new RoundTrips(stage, app, Memo);
          for (let at = 0; at < TRIPS; at++) await trips.trip();
          source.flush();
          const memos = app.repository<MemoBase>(Memo);
          const here = async () =>
            texts((await memos.find()).map(({ atpUri, text }) => ({ uri: atpUri ?? '', text })));
          const there = async () => {
            const { data } = await stage.other.com.atproto.repo.listRecords({
              repo: stage.did,
              collection: MEMO,
              limit: 100,
            });
            return texts(data.records.map(({ uri, value }) => ({ uri, text: value['text'] })));
          };
          await until(async () => {
            await app.parity.runOnce();
            return (
              (await app.parity.countPendingSyncs(stage.did)) === 0 &&
              (await here()).join() === (await there()).join()
            );
          }).catch(() => undefined);
          expect(await here()).toEqual(await there());
          expect(await app.parity.countPendingSyncs(stage.did)).toBe(0);
          const commits = await stage.network.commits(stage.did);
          expect(echoes(commits)).toEqual([]);
          expect(stepsBack(app.events, commits)).toEqual([]);
          const uris = (await memos.find()).map(({ atpUri }) => atpUri);
          expect(new Set(uris).size).toBe(uris.length);
        } finally {
          await app.stop();
          await stage.stop();
        }
      },
      DAY,
    );
  });
});

type Commits = Awaited<ReturnType<InboundStage['network']['commits']>>;

/** Writes that gave an address what it had. */
function echoes(commits: Commits): string[] {
  const contents = new Map<string, string | null>();
  const found: string[] = [];
  for (const { ops } of commits)
    for (const { path, cid } of ops) {
      if (contents.has(path) && contents.get(path) === cid) found.push(`${path} ${String(cid)}`);
      contents.set(path, cid);
    }
  return found;
}

/** Records that were applied after a newer one of the same address. */
function stepsBack(events: readonly object[], commits: Commits): string[] {
  const order = new Map<string, number>();
  commits.forEach(({ ops }, index) => {
    for (const { path, cid } of ops) order.set(`${path} ${String(cid)}`, index);
  });
  const last = new Map<string, number>();
  const found: string[] = [];
  for (const event of events) {
    if (!(event instanceof RecordApplied)) continue;
    const path = event.uri.split('/').slice(3).join('/');
    const index = order.get(`${path} ${event.cid}`) ?? -1;
    if (index < (last.get(path) ?? -1)) found.push(`${path} ${event.cid}`);
    last.set(path, index);
  }
  return found;
}
