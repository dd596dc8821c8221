import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isWrite } from '../support/fault-proxy.js';
import { Held } from '../support/fault-proxy.js';
import { startSource } from '../support/source-process.js';
import { LONG_GRACE, type Death } from './death.js';
import type { KillProcessInput } from './kill-process.js';
import { LEASE_MINUTES, minutesLater, type World } from './world.js';

const FILE = new URL('kill-process.ts', import.meta.url);

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
  const input: KillProcessInput = {
    pdsUrl: servers.proxy.url,
    database,
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
  await minutesLater(world, LEASE_MINUTES);
  if (held) {
    await live(world, seed, null);
    await held.land();
  }
  return { signal, code, unknown, there };
}
