/** A process that saves what is to be drained, or one that drains it and watches its own memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parityEntities, ParityService } from 'nestjs-parity';
import type { Account } from 'nestjs-parity/testing';
import type { DataSourceOptions } from 'typeorm';
import { Accounts } from './accounts.js';
import { application, entities, NoSessions, Note } from './setting.js';

export interface DrainInput {
  readonly task: 'save' | 'drain';
  readonly pdsUrl: string;
  readonly accounts: readonly Account[];
  /** Entities of each account. */
  readonly each: number;
  readonly database: object;
}

export interface Drained {
  /** Resident, in MB: before, and at most. */
  readonly idle: number;
  readonly most: number;
  readonly seconds: number;
  /** Pending syncs at the end. */
  readonly left: number;
}

process.once('message', (input: DrainInput) => void run(input));

async function run({ task, pdsUrl, accounts, each, database }: DrainInput): Promise<void> {
  const sessions = task === 'save' ? new NoSessions() : new Accounts();
  if (sessions instanceof Accounts)
    for (const { did, password } of accounts) await sessions.logIn(pdsUrl, did, password);
  const { app, dataSource } = await application(
    { ...database, entities: [...entities, ...parityEntities] } as DataSourceOptions,
    {
      sessions,
      sync: { mode: 'background' },
      pendingSyncs: { enabled: true, storage: 'database', autoRetry: true },
      // What is drained for the second time would go beyond the hour of its accounts.
      pds: { writeLimits: [] },
    },
  );
  const parity = app.get(ParityService);
  const dids = accounts.map(({ did }) => did);
  if (task === 'save') {
    for (const did of dids) {
      const note = (_: unknown, index: number): Note =>
        dataSource.manager.create(Note, { did, content: `Note ${index} of ${did}` });
      await dataSource.manager.save(Array.from({ length: each }, note), { chunk: 250 });
    }
    while ((await parity.stats()).parked < dids.length) await sleep(100);
  }
  const drained = task === 'drain' ? await drain(parity, dids) : null;
  process.send?.(drained);
  await app.close();
  process.disconnect?.();
}

async function drain(parity: ParityService, dids: readonly string[]): Promise<Drained> {
  await sleep(1_000);
  globalThis.gc?.();
  const idle = resident();
  let most = idle;
  const watch = setInterval(() => (most = Math.max(most, resident())), 100);
  const start = performance.now();
  for (const did of dids) await parity.sessionAvailable(did);
  let left = 1;
  // Until nothing has moved for a minute.
  for (let last = 0, since = start; left > 0 && performance.now() - since < 60_000; await sleep(1_000)) {
    left = (await parity.stats()).pending;
    if (left !== last) [last, since] = [left, performance.now()];
  }
  clearInterval(watch);
  return { idle, most, seconds: (performance.now() - start) / 1_000, left };
}

const resident = (): number => process.memoryUsage.rss() / 2 ** 20;
