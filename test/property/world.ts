import { setTimeout as sleep } from 'node:timers/promises';
import { AuthenticationError, PendingSyncDiscarded, PendingSyncManager } from 'nestjs-parity';
import { TypeORMError } from 'typeorm';
import type { Held } from '../support/fault-proxy.js';
import { ParityApp } from '../support/parity-app.js';
import type { FaultyNetwork } from '../support/faulty-network.js';
import type { Kind } from './kinds.js';
import { Card, Note, notebook, Profile } from '../support/entities/notebook.js';
import { parityOf, type Parity } from './rule-one.js';
import { Sessions } from '../support/sessions.js';
import { arrangeFault } from './faults.js';
import { Stage } from './stage.js';
import type { Step, WriteStep } from './steps.js';
import { noteOf, perform } from './writes.js';

/** What has become of records and entities. */
export interface Ending extends Parity {
  /** What must not happen: something given up. */
  readonly problems: readonly string[];
}

/** Far more than an unhurried machine needs to settle a sequence. */
const PATIENCE_MS = 60_000;

/** An application with two accounts at a PDS with faults, and what may happen to them. */
export class World {
  private readonly sessions = new Sessions();
  private readonly late: Held[] = [];
  private readonly problems: string[] = [];
  /** At-uris. */
  private readonly touchedByStrangers = new Set<string>();
  /** Notes that were published or unpublished by hand, whatever they ask for themselves. */
  private readonly byHand = new Set<number>();
  private app!: ParityApp;

  private constructor(private readonly stage: Stage) {
    for (const [did, agent] of stage.agents) this.sessions.agents.set(did, agent);
  }

  /** After all these steps and the calm that follows, on a stage of its own. */
  static async after(steps: readonly Step[], servers: FaultyNetwork, kind: Kind): Promise<Ending> {
    await using stage = await Stage.set(servers, kind);
    return await World.on(stage, steps);
  }

  static async on(stage: Stage, steps: readonly Step[]): Promise<Ending> {
    await stage.clear();
    const world = new World(stage);
    await world.start();
    try {
      for (const step of steps) await world.do(step);
      return { ...(await world.calm()), problems: world.problems };
    } finally {
      await world.stop();
    }
  }

  private get servers(): FaultyNetwork {
    return this.stage.servers;
  }

  private get dids(): string[] {
    return this.stage.dids;
  }

  private async do(step: Step): Promise<void> {
    const { manager } = this.app.dataSource;
    const did = 'account' in step ? this.dids[step.account % 2]! : '';
    switch (step.kind) {
      case 'transaction':
        return this.tolerant(() => this.transaction(step));
      case 'side-by-side':
        // Two may insert the same key; on SQLite they share a transaction, and one that fails takes the
        // others back.
        await Promise.all(
          step.writes.map((write) =>
            this.tolerant(() => perform(write, manager, this.stage.owners), TypeORMError),
          ),
        );
        return;
      case 'unit':
        return this.tolerant(() =>
          this.app.parity.unitOfWork(async () => {
            for (const write of step.writes) await perform(write, manager, this.stage.owners);
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
        if (this.stage.kind.storage === 'cache') return;
        await this.stop();
        return this.start();
      case 'publish':
      case 'unpublish':
      case 'touch':
        return this.tolerant(() => this.byHandOrTouch(step.kind, step.row));
      default:
        return this.tolerant(() => perform(step satisfies WriteStep, manager, this.stage.owners));
    }
  }

  /**
   * Faults off, both accounts signed in. When nothing is pending, what other apps have touched and what was
   * published or unpublished by hand is edited once more, so that its own functions decide again.
   */
  private async calm(): Promise<Parity> {
    this.servers.proxy.reset();
    for (const did of this.dids) {
      this.sessions.signIn(did);
      await this.app.parity.sessionAvailable(did);
    }
    await this.idle();
    const { manager } = this.app.dataSource;
    for (const Entity of [Note, Card, Profile]) {
      for (const found of await manager.find<Note | Card | Profile>(Entity, { withDeleted: true })) {
        if (!this.isTouched(found)) continue;
        await manager.save(Object.assign(found, { text: `${found.text} at last` }));
      }
    }
    await this.idle();
    for (const held of this.late.splice(0)) await held.land().catch(() => undefined);
    return parityOf(this.app.dataSource, this.servers.network, this.dids);
  }

  private async idle(): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS; await this.isPending(); await sleep(5)) {
      if (Date.now() > end) throw new Error(`Still pending: ${await this.stillPending()}`);
      for (const did of this.dids) await this.app.parity.retryPendingSyncs(did);
    }
  }

  private isTouched(row: Note | Card | Profile): boolean {
    return this.touchedByStrangers.has(row.atpUri ?? '') || (row instanceof Note && this.byHand.has(row.id));
  }

  private async start(): Promise<void> {
    const { mode, storage } = this.stage.kind;
    this.app = await ParityApp.start({
      entities: Stage.entities,
      database: this.stage.database,
      parity: {
        sessions: this.sessions,
        pendingSyncs: { enabled: true, storage, autoRetry: true },
        // With the cache, work that outlives the deadline is not pending yet, and the calm would not wait for
        // it.
        sync: { mode, deadlineMs: storage === 'cache' ? PATIENCE_MS : 600 },
        pds: { timeoutMs: 500 },
        mappers: notebook.mappers,
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
        for (const write of writes) await perform(write, manager, this.stage.owners);
        if (savepoint) {
          await manager
            .transaction(async (inner) => {
              for (const write of savepoint.writes) await perform(write, inner, this.stage.owners);
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
    const { repo } = this.stage.strangers.get(did)!.com.atproto;
    const done =
      kind === 'stranger-deletes'
        ? repo.deleteRecord(at)
        : repo.putRecord({ ...at, record: { $type: collection, text: 'theirs' } });
    // The application was faster.
    await done.then(() => this.touchedByStrangers.add(found.atpUri!)).catch(() => undefined);
  }

  private async byHandOrTouch(kind: 'publish' | 'unpublish' | 'touch', row: number): Promise<void> {
    const note = await noteOf(row, this.app.dataSource.manager, this.stage.owners);
    if (!note || note.deletedAt) return;
    if (kind !== 'touch') this.byHand.add(note.id);
    await this.app.parity[kind](note);
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
