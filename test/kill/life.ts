import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from 'nestjs-parity/testing';
import type { DataSource } from 'typeorm';
import type { FaultyNetwork } from '../pds/fixtures.js';
import { isWrite } from '../pds/fixtures.js';
import { Held } from '../support/fault-proxy.js';
import { startSource } from '../support/source-process.js';
import type { FreshDatabase } from '../support/databases.js';
import { LONG_GRACE, type Death } from './death.js';
import type { KillProcessInput } from './kill-process.js';

const FILE = new URL('kill-process.ts', import.meta.url);

export interface World {
  readonly servers: FaultyNetwork;
  readonly database: FreshDatabase;
  /** The last one is the quiet one. */
  readonly accounts: readonly Account[];
}

export interface End {
  readonly signal: string | null;
  readonly code: number | null;
  /** What its worker awaited though no process is killed there. */
  readonly unknown: readonly string[];
  /** It died where it should, and not because it had waited for that in vain. */
  readonly there: boolean;
}

export const DONE: End = { signal: null, code: 0, unknown: [], there: true };

/** How a process with this death ends: of a short grace nothing can be said. */
export function endOf(death: Death, { signal }: End): End {
  const isOver = death.kind !== 'stopped' || (death.grace < LONG_GRACE && signal === 'SIGKILL');
  return { signal: isOver ? 'SIGKILL' : 'SIGTERM', code: null, unknown: [], there: true };
}

/** One process, from its start to its end. @param death null: it works until nothing is pending */
export async function live(world: World, seed: number, death: Death | null): Promise<End> {
  const { servers, database, accounts } = world;
  const { entities: _entities, ...options } = database.options;
  const input: KillProcessInput = {
    pdsUrl: servers.proxy.url,
    database: options,
    accounts: accounts.map(({ did, password }) => ({ did, password })),
    seed,
    death,
  };
  const child = startSource(FILE, input);
  const unknown: string[] = [];
  let held: Held | undefined;
  let there = true;
  const said: Record<string, () => unknown> = {
    alive: async () => {
      if (death?.kind !== 'at-random' && death?.kind !== 'stopped') return;
      await sleep(death.ms);
      child.kill(death.kind === 'stopped' ? 'SIGTERM' : 'SIGKILL');
      if (death.kind === 'stopped') setTimeout(() => child.kill('SIGKILL'), death.grace).unref();
    },
    'it never came to its point': () => (there = false),
    'hold the next write': async () => {
      held = new Held();
      const { did } = accounts.at(-1)!;
      const isIts = (exchange: Parameters<typeof isWrite>[0]): boolean =>
        isWrite(exchange) && (exchange.body as { repo: string }).repo === did;
      servers.proxy.fault(isIts, held.fault);
      child.send('it will be');
      await held.arrived;
      child.send('it is');
    },
  };
  child.on('message', (message: string) => void (said[message] ?? (() => unknown.push(message)))());
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  await twoMinutesLater(database);
  if (held) {
    await live(world, seed, null);
    await held.land();
  }
  return { signal, code, unknown, there };
}

/** What a dead process had leased is free after two minutes; nobody wants to wait for them here. */
const twoMinutesLater = (database: FreshDatabase): Promise<void> =>
  onDatabase(database, async (dataSource) => {
    const earlier = ['ready_at', 'retry_at', 'unparked_at', 'backlog_before'].map(
      (name) => `${name} = ${name} - 120000000`,
    );
    await dataSource.query(`UPDATE parity_lane SET ${earlier.join(', ')}`);
    const times = ['pending_since', 'changed_at', 'created_at', 'tried_at'].map(
      (name) => `${name} = ${name} - 120000000`,
    );
    await dataSource.query(`UPDATE parity_ledger SET ${times.join(', ')}`);
  });

export async function onDatabase(
  database: FreshDatabase,
  work: (dataSource: DataSource) => Promise<unknown>,
): Promise<void> {
  const dataSource = await database.open();
  try {
    await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}
