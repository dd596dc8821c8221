/**
 * A backfill of 20,000 records of one account, while its user goes on writing; the PDS keeps its limits, in windows 720 times shorter: an
 * hour is 5 seconds, a day two minutes. `node bench/dist/backfill.js`
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AtpAgent, type Agent } from '@atproto/api';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { parityEntities, ParityService, RecordPublished, SessionProvider } from 'nestjs-parity';
import { LocalNetwork } from 'nestjs-parity/testing';
import { onEachDatabase } from './support/databases.js';
import { application, entities, Note } from './support/setting.js';

const RECORDS = Number(process.env['PARITY_BENCH_BACKFILL'] ?? 20_000);
const SPEED = 720;
const limits = [
  { points: 5_000, seconds: 3_600 / SPEED },
  { points: 35_000, seconds: 86_400 / SPEED },
];

process.env['PARITY_LIMIT_SPEED'] = String(SPEED);
process.env['NODE_OPTIONS'] = `--import=${new URL('../support/faster-limits.mjs', import.meta.url).href}`;
const network = await LocalNetwork.start({ rateLimits: true });
delete process.env['NODE_OPTIONS'];

/** One signed-in account; remembers how long its requests took, and how many were refused for a limit. */
class WatchedSessions extends SessionProvider {
  readonly times: number[] = [];
  refused = 0;
  did = '';
  private readonly agent = new AtpAgent({
    service: network.pdsUrl,
    fetch: async (input, init) => {
      const start = performance.now();
      const response = await globalThis.fetch(input, init);
      this.times.push(performance.now() - start);
      if (response.status === 429) this.refused += 1;
      return response;
    },
  });

  async signIn(handle: string): Promise<void> {
    const { did, password } = await network.createAccount({ handle });
    await this.agent.login({ identifier: did, password });
    this.did = did;
  }

  override async agentFor(): Promise<Agent> {
    return this.agent as unknown as Agent;
  }
}

const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);
const at = (values: readonly number[], part: number): number =>
  Math.round(sorted(values)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? 0);

try {
  await onEachDatabase(async (kind, options) => {
    const sessions = new WatchedSessions();
    await sessions.signIn(`${kind.toLowerCase()}.test`);
    const { app, dataSource } = await application(
      { ...options, entities: [...entities, ...parityEntities] } as typeof options,
      {
        sessions,
        sync: { mode: 'background' },
        pendingSyncs: { enabled: true, storage: 'database' },
        pds: { writeLimits: limits, timeoutMs: 5_000 },
      },
    );
    const notes = dataSource.getRepository(Note);
    for (let index = 0; index < RECORDS; index += 500) {
      const rows = Array.from({ length: Math.min(500, RECORDS - index) }, (_, row) => ({
        did: sessions.did,
        content: `old ${index + row}`,
      }));
      await notes.createQueryBuilder().insert().values(rows).callListeners(false).execute();
    }
    const delays: number[] = [];
    const saved = new Map<string, number>();
    app.get(EventEmitter2).on(RecordPublished.event, ({ entityId }: RecordPublished) => {
      const since = saved.get(entityId);
      if (since !== undefined) delays.push(performance.now() - since);
    });
    const parity = app.get(ParityService);
    const plan = await parity.reconcile(Note, { dryRun: true });
    const start = performance.now();
    const found = await parity.reconcile(Note);
    let edits = 0;
    while (((await parity.stats())?.pending ?? 0) > 0 || delays.length < edits) {
      const since = performance.now();
      const note = await notes.save(notes.create({ did: sessions.did, content: 'live' }));
      saved.set(String(note.id), since);
      edits += 1;
      await sleep(1_000);
    }
    const seconds = (performance.now() - start) / 1_000;
    const commits = await network.commits(sessions.did);
    console.table({
      database: kind,
      'records of the backfill': found.creates,
      'records at the PDS': commits.flatMap(({ ops }) => ops).length,
      'refused with 429': sessions.refused,
      requests: sessions.times.length,
      'seconds in all': Math.round(seconds),
      'seconds that the dry run said, at least': plan.minutes * 60,
      'live records': edits,
      'live: median delay (ms)': at(delays, 0.5),
      'live: longest delay (ms)': at(delays, 1),
      'longest request (ms)': at(sessions.times, 1),
    });
    await app.close();
  });
} finally {
  await network.stop();
}
