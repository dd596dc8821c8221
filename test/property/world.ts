import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent } from '@atproto/api';
import {
  AuthenticationError,
  parityEntities,
  PendingSyncDiscarded,
  PendingSyncManager,
  type SyncMode,
} from 'nestjs-parity';
import { TypeORMError } from 'typeorm';
import { freshDataSource, type DatabaseKind, type FreshDatabase } from '../support/databases.js';
import type { Held } from '../support/fault-proxy.js';
import { ParityApp } from '../support/parity-app.js';
import type { FaultyNetwork } from '../pds/fixtures.js';
import { Card, Note, notebook, notebookMappers, Owner, Profile } from './notebook.js';
import { parityOf, type Parity } from './rule-one.js';
import { Sessions } from './sessions.js';
import { arrangeFault } from './faults.js';
import type { Step, WriteStep } from './steps.js';
import { perform } from './writes.js';

export interface WorldOptions {
  readonly mode: SyncMode;
  readonly storage: 'cache' | 'database';
  readonly database: DatabaseKind;
}

/** An application with two accounts at a PDS with faults, and what may happen to them. */
export class World {
  private readonly sessions = new Sessions();
  private readonly strangers = new Map<string, Agent>();
  private readonly late: Held[] = [];
  /** What must not happen: something given up. */
  private readonly problems: string[] = [];
  private database!: FreshDatabase;
  private app!: ParityApp;
  private owners: Owner[] = [];

  private constructor(
    private readonly servers: FaultyNetwork,
    private readonly options: WorldOptions,
  ) {}

  private static async begin(servers: FaultyNetwork, options: WorldOptions): Promise<World> {
    servers.proxy.reset();
    const world = new World(servers, options);
    for (const id of [1, 2]) {
      const account = await servers.account();
      const agent = await servers.agent(account);
      world.sessions.agents.set(account.did, agent);
      world.strangers.set(account.did, servers.agentAt(servers.network.pdsUrl, agent));
      world.owners.push(Object.assign(new Owner(), { id, did: account.did }));
    }
    world.database = await freshDataSource(options.database, [...notebook, ...parityEntities]);
    await world.start();
    await world.app.repository(Owner).save(world.owners);
    return world;
  }

  /** What has become of records and entities after all these steps and the calm that follows. */
  static async after(
    steps: readonly Step[],
    servers: FaultyNetwork,
    options: WorldOptions,
  ): Promise<Parity & { readonly problems: readonly string[] }> {
    const world = await World.begin(servers, options);
    try {
      for (const step of steps) await world.do(step);
      return { ...(await world.calm()), problems: world.problems };
    } finally {
      await world.end();
    }
  }

  private get dids(): string[] {
    return this.owners.map(({ did }) => did);
  }

  private async do(step: Step): Promise<void> {
    const { manager } = this.app.dataSource;
    const did = 'account' in step ? this.dids[step.account % 2]! : '';
    switch (step.kind) {
      case 'transaction':
        return this.tolerant(() => this.transaction(step));
      case 'side-by-side':
        // Two may insert the same key; on SQLite they share a transaction, and one that fails takes the others back.
        await Promise.all(
          step.writes.map((write) => this.tolerant(() => perform(write, manager, this.owners), TypeORMError)),
        );
        return;
      case 'unit':
        return this.tolerant(() =>
          this.app.parity.unitOfWork(async () => {
            for (const write of step.writes) await perform(write, manager, this.owners);
          }),
        );
      case 'revoke':
        return this.sessions.revoke(did);
      case 'sign-in':
        this.sessions.signIn(did);
        return this.app.parity.sessionAvailable(did);
      case 'stranger-edits':
      case 'stranger-deletes':
        return this.stranger(step.kind, step.row);
      case 'fault':
        return arrangeFault(this.servers.proxy, step, this.late);
      case 'land':
        await this.late
          .shift()
          ?.land()
          .catch(() => undefined);
        return;
      case 'retry':
        return this.tolerant(async () => void (await this.app.parity.retryPendingSyncs(did)));
      case 'pause':
        await sleep(step.ms);
        return;
      case 'restart':
        if (this.options.storage === 'cache') return;
        await this.stop();
        return this.start();
      default:
        return this.tolerant(() => perform(step satisfies WriteStep, manager, this.owners));
    }
  }

  /** Faults off, everybody signed in, and what strangers have touched edited once more; resolves when nothing is pending. */
  private async calm(): Promise<Parity> {
    this.servers.proxy.reset();
    for (const did of this.dids) {
      this.sessions.signIn(did);
      await this.app.parity.sessionAvailable(did);
    }
    const { manager } = this.app.dataSource;
    for (const Entity of [Note, Card, Profile]) {
      for (const found of await manager.find<Note | Card | Profile>(Entity)) {
        if (!this.touchedByStrangers.has(found.atpUri ?? '')) continue;
        await manager.save(Object.assign(found, { text: `${found.text} at last` }));
      }
    }
    for (let round = 1; await this.isPending(); round++) {
      if (round > 60) throw new Error(`Still pending: ${await this.stillPending()}`);
      for (const did of this.dids) await this.app.parity.retryPendingSyncs(did);
      await sleep(20);
    }
    for (const held of this.late.splice(0)) await held.land().catch(() => undefined);
    return parityOf(this.app.dataSource, this.servers.network, this.dids);
  }

  private async end(): Promise<void> {
    await this.stop();
    await this.database.cleanup();
  }

  private readonly touchedByStrangers = new Set<string>();

  private async start(): Promise<void> {
    this.app = await ParityApp.start({
      entities: [...notebook, ...parityEntities] as Function[],
      database: this.database,
      parity: {
        sessions: this.sessions,
        pendingSyncs: { enabled: true, storage: this.options.storage, autoRetry: true },
        sync: { mode: this.options.mode, deadlineMs: 600 },
        pds: { timeoutMs: 250 },
        mappers: notebookMappers,
      },
    });
  }

  private async stop(): Promise<void> {
    this.problems.push(
      ...this.app.taken(PendingSyncDiscarded).map((event) => `given up: ${JSON.stringify(event)}`),
    );
    await this.app.stop();
  }

  private async transaction({
    writes,
    savepoint,
    rollback,
  }: Extract<Step, { kind: 'transaction' }>): Promise<void> {
    const undo = new Error('undo');
    const passing = (error: unknown): void => {
      if (error !== undo) throw error;
    };
    await this.app.dataSource
      .transaction(async (manager) => {
        for (const write of writes) await perform(write, manager, this.owners);
        if (savepoint) {
          await manager
            .transaction(async (inner) => {
              for (const write of savepoint.writes) await perform(write, inner, this.owners);
              if (savepoint.rollback) throw undo;
            })
            .catch(passing);
        }
        if (rollback) throw undo;
      })
      .catch(passing);
  }

  /** An auth failure is thrown in inline mode; it is for the user, and nothing is lost. */
  private async tolerant(call: () => Promise<void>, ...errors: Function[]): Promise<void> {
    try {
      await call();
    } catch (error) {
      if (![AuthenticationError, ...errors].some((one) => error instanceof one)) throw error;
    }
  }

  private async stranger(kind: 'stranger-edits' | 'stranger-deletes', row: number): Promise<void> {
    const { manager } = this.app.dataSource;
    const notes = await manager.find(Note, { order: { id: 'ASC' } });
    const found = row === 3 ? (await manager.find(Profile))[0] : notes[row % Math.max(1, notes.length)];
    const current = found?.atpUri && (await this.servers.network.getRecord(found.atpUri));
    if (!found || !current) return;
    const [did, collection, rkey] = found.atpUri!.replace('at://', '').split('/') as [string, string, string];
    const at = { repo: did, collection, rkey, swapRecord: current.cid };
    const { repo } = this.strangers.get(did)!.com.atproto;
    const done =
      kind === 'stranger-deletes'
        ? repo.deleteRecord(at)
        : repo.putRecord({ ...at, record: { $type: collection, text: 'theirs' } });
    // Somebody was faster.
    await done.then(() => this.touchedByStrangers.add(found.atpUri!)).catch(() => undefined);
  }

  private async isPending(): Promise<boolean> {
    for (const did of this.dids) if (await this.app.parity.hasPendingSyncs(did)) return true;
    return false;
  }

  private async stillPending(): Promise<string> {
    const manager = this.app.module.get(PendingSyncManager);
    const all = await Promise.all(this.dids.map((did) => manager.forDid(did)));
    return JSON.stringify(all.flat(), null, 1) + this.app.log.lines.slice(-10).join('\n');
  }
}
