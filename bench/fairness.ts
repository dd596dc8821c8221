/**
 * What parked accounts cost the others: 100 accounts make 50 changes each, and half of them lose their sessions midway; against
 * the same with those 50 idle from the start. `node bench/dist/fairness.js`
 *
 * What is compared is the time from the end of a `save()` to its RecordPublished, in the 50 that stay, for the changes made after
 * the sessions were gone: until then the others do real work, which the PDS has to do. These come at a steady pace, in both runs
 * at the same, and begin with nothing pending. The runs take turns, so that what the machine does meanwhile hits both.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventEmitter2 } from '@nestjs/event-emitter';
import { parityEntities, ParityService, PendingSyncManager, RecordPublished } from 'nestjs-parity';
import { LocalNetwork } from 'nestjs-parity/testing';
import type { DataSourceOptions } from 'typeorm';
import { Accounts } from './support/accounts.js';
import { onEachDatabase } from './support/databases.js';
import { median, report, type Ratio } from './support/measure.js';
import { application, entities, Note } from './support/setting.js';

const ACCOUNTS = 100;
const CHANGES = 50;
/** Changes of all of them, a second: of those that stay less than the PDS can commit. */
const PACE = 60;
const ROUNDS = Number(process.env['PARITY_BENCH_ROUNDS'] ?? 2);

interface Run {
  /** In milliseconds. */
  readonly delays: number[];
  /** What is wrong with the run, or with the accounts that were parked; empty: nothing. */
  readonly faults: string[];
}

const network = await LocalNetwork.start();
const accounts = await Accounts.create(network, ACCOUNTS);
const [losing, staying] = [0, 1].map((half) => accounts.dids.filter((_, index) => index % 2 === half)) as [
  string[],
  string[],
];
const ratios: Ratio[] = [];
let runs = 0;

await onEachDatabase(async (kind, options) => {
  const delays: { parked: number[]; idle: number[] } = { parked: [], idle: [] };
  const faults: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const half of round % 2 === 0 ? (['parked', 'idle'] as const) : (['idle', 'parked'] as const)) {
      const run = await live(options, half === 'parked' ? losing : []);
      delays[half].push(...run.delays);
      faults.push(...run.faults);
    }
  }
  const [ours, theirs] = [median(delays.parked), median(delays.idle)];
  ratios.push({
    what: `${kind}: captured to published, half of the accounts parked, against half of them idle`,
    ratio: faults.length > 0 ? Infinity : ours / theirs,
    limit: 1.2,
    ours,
    theirs,
    notes:
      faults.length > 0
        ? faults.join('; ')
        : 'no request and no attempt for the parked; all there in the end',
  });
});
await network.stop();
report(ratios);

async function live(options: DataSourceOptions, parked: readonly string[]): Promise<Run> {
  const { app, dataSource } = await application(
    { ...options, entities: [...entities, ...parityEntities], dropSchema: true } as DataSourceOptions,
    {
      sessions: accounts,
      sync: { mode: 'background' },
      pendingSyncs: { enabled: true, storage: 'database', autoRetry: true },
    },
  );
  const parity = app.get(ParityService);
  const published = new Map<string, number>();
  app.get(EventEmitter2).on(RecordPublished.event, ({ entityId }: RecordPublished) => {
    published.set(entityId, performance.now());
  });
  const faults: string[] = [];
  const texts = Array.from({ length: CHANGES }, (_, change) => `run ${runs} change ${change}`);
  runs += 1;

  const write = async (contents: readonly string[], pace = Infinity): Promise<Map<Note, number>> => {
    const captured = new Map<Note, number>();
    let turn = performance.now();
    for (const content of contents) {
      for (const did of accounts.dids) {
        turn += 1_000 / pace;
        if (!staying.includes(did) && !parked.includes(did)) continue;
        const early = turn - performance.now();
        if (early > 1) await sleep(early);
        const note = await dataSource.manager.save(dataSource.manager.create(Note, { did, content }));
        captured.set(note, performance.now());
      }
    }
    // Whoever has more to save is the slower one then, and spares those that stay.
    if (performance.now() - turn > 1_000 && pace < Infinity) faults.push('the machine did not keep the pace');
    return captured;
  };
  const done = async (dids: readonly string[]): Promise<void> => {
    for (const did of dids) while (await parity.hasPendingSyncs(did)) await sleep(20);
  };

  await write(texts.slice(0, CHANGES / 2));
  await done(accounts.dids);
  for (const did of parked) accounts.revoke(did);
  const uses = accounts.usesOf(parked);
  const captured = await write(texts.slice(CHANGES / 2), PACE);
  await done(staying);
  const delays = [...captured]
    .filter(([{ did }]) => staying.includes(did))
    .map(([{ id }, at]) => (published.get(String(id)) ?? Infinity) - at);

  // Asked for an agent once, by the try that found the session gone.
  const extra = accounts.usesOf(parked) - uses - parked.length;
  if (extra > 0) faults.push(`${extra} uses of parked sessions`);
  const manager = app.get(PendingSyncManager);
  for (const did of parked) {
    const pending = await manager.forDid(did);
    const spent = pending.reduce((sum, { attempts }) => sum + attempts, 0);
    if (pending.length !== CHANGES / 2 || spent > 0)
      faults.push(`${did}: ${pending.length} pending, ${spent} attempts`);
    accounts.signIn(did);
    await parity.sessionAvailable(did);
  }
  await done(parked);
  for (const did of [...staying, ...parked]) {
    const records = await network.listRecords(did, 'com.example.note');
    const there = new Set(records.map(({ value }) => value['content']));
    const missing = texts.filter((text) => !there.has(text)).length;
    if (missing > 0) faults.push(`${did}: ${missing} records are missing`);
  }
  await app.close();
  return { delays, faults };
}
