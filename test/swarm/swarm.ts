import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AtpSessionData, CredentialSession } from '@atproto/api';
import type { SyncMode } from 'nestjs-parity';
import { random } from '../kill/random.js';
import { LEASE_MINUTES, minutesLater, type World } from '../kill/world.js';
import { arrangeFault } from '../property/faults.js';
import { FAULTS } from '../property/steps.js';
import type { Held } from '../support/fault-proxy.js';
import { startSource } from '../support/source-process.js';
import type { SwarmProcessInput } from './swarm-process.js';

const FILE = new URL('swarm-process.ts', import.meta.url);

/** A web process, whose users wait for their records, and workers, which write now and then. */
const PLACES: readonly { readonly mode: SyncMode; readonly pause: number }[] = [
  { mode: 'inline', pause: 20 },
  { mode: 'background', pause: 200 },
  { mode: 'background', pause: 200 },
];
/**
 * The longest life after the first write, the longest time between two faults, and more than a shutdown
 * takes; ms.
 */
const LIFE = 5_000;
const PEACE = 500;
const GRACE = 30_000;

/**
 * Processes on one database, at a PDS with faults: they are killed and stopped at random, and others follow
 * them.
 */
export class Swarm {
  writes = 0;
  deaths = 0;
  private readonly random;
  private readonly alive = new Set<ChildProcess>();
  private readonly condemned = new Set<ChildProcess>();
  private readonly late: Held[] = [];
  private sessions: readonly AtpSessionData[] = [];
  private over = false;

  constructor(
    private readonly world: World,
    private readonly seed: number,
  ) {
    this.random = random(seed);
  }

  /** Resolves when all are gone. @throws when a process ended by itself, or did not stop */
  async live(milliseconds: number): Promise<void> {
    const { servers, accounts } = this.world;
    const agents = await Promise.all(accounts.map((account) => servers.agent(account)));
    this.sessions = agents.map(({ sessionManager }) => (sessionManager as CredentialSession).session!);
    const places = Promise.all(PLACES.map((place, index) => this.fill(place, index)));
    try {
      await Promise.race([places, this.harass(Date.now() + milliseconds)]);
      this.over = true;
      servers.proxy.reset();
      for (const child of this.alive) this.end(child, 'SIGTERM');
      await places;
    } finally {
      this.over = true;
      for (const child of this.alive) this.end(child, 'SIGKILL');
    }
    for (const held of this.late) await held.land().catch(() => undefined);
  }

  private async fill({ mode, pause }: (typeof PLACES)[number], index: number): Promise<void> {
    for (let turn = 0; !this.over; turn++) {
      const { servers, database } = this.world;
      const input: SwarmProcessInput = {
        mode,
        pause,
        seed: this.seed + 1_000 * turn + index,
        pdsUrl: servers.proxy.url,
        database,
        sessions: this.sessions,
      };
      const child = startSource(FILE, input);
      this.alive.add(child);
      child.on('message', () => this.writes++);
      child.once('message', () => void this.endLater(child));
      const ended = await once(child, 'exit');
      this.alive.delete(child);
      if (!this.condemned.has(child)) throw new Error(`A process (${mode}) ended by itself: ${ended.join()}`);
      await minutesLater(this.world, LEASE_MINUTES);
    }
  }

  private async harass(until: number): Promise<void> {
    const { integer, pick } = this.random;
    while (Date.now() < until) {
      await sleep(integer(PEACE));
      const fault = { fault: pick(FAULTS), reads: integer(3) === 0, times: 1 + integer(2) };
      arrangeFault(this.world.servers.proxy, { kind: 'fault', ...fault }, this.late);
      if (integer(3) === 0)
        await this.late
          .shift()
          ?.land()
          .catch(() => undefined);
    }
  }

  private async endLater(child: ChildProcess): Promise<void> {
    const { integer, pick } = this.random;
    const signal = pick(['SIGKILL', 'SIGKILL', 'SIGTERM'] as const);
    await sleep(integer(LIFE));
    if (!this.over) this.end(child, signal);
  }

  private end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): void {
    this.condemned.add(child);
    this.deaths++;
    child.kill(signal);
    if (signal === 'SIGKILL') return;
    const hung = setTimeout(() => {
      // Not condemned any more: this end is the module's fault.
      this.condemned.delete(child);
      child.kill('SIGKILL');
    }, GRACE);
    child.once('exit', () => clearTimeout(hung));
  }
}
