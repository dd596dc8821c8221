import { setTimeout as sleep } from 'node:timers/promises';
import {
  AuthenticationError,
  ConflictDetected,
  ConflictResolved,
  PendingSyncDiscarded,
  PendingSyncManager,
  RecordApplied,
  RecordRejected,
  RecordRemoved,
  RetryLaterError,
  parityEntities,
} from 'nestjs-parity';
import { FakeRecordSource } from 'nestjs-parity/testing';
import type { SourceEvent } from 'nestjs-parity';
import type { Repository } from 'typeorm';
import type { MemoBase, MemoRecord } from '../support/entities/memo.js';
import type { Held } from '../support/fault-proxy.js';
import type { LogEntry } from '../support/inbound/pds-log.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { Sessions } from '../support/sessions.js';
import { arrangeFault } from './faults.js';
import { MEMO, MODELS, type InboundPropertyStage } from './inbound-stage.js';
import type { InboundSequence, InboundStep } from './inbound-steps.js';
import { Memory, toldOf, type Written } from './inbound-memory.js';

/** What rows and records have come to, and what must not happen. */
export interface InboundEnding {
  readonly rows: readonly Written[];
  readonly records: readonly Written[];
  readonly problems: readonly string[];
}

type RecordEvent = Extract<SourceEvent, { kind: 'record' }>;

/** Far more than an unhurried machine needs to settle a sequence. */
const PATIENCE_MS = 30_000;

/** An application that follows an account, the account's other app, and what is told of both. */
export class InboundWorld {
  private readonly sessions = new Sessions();
  private readonly source = new FakeRecordSource();
  private readonly late: Held[] = [];
  /** Calls that no step has waited for. */
  private readonly open: Promise<unknown>[] = [];
  private readonly told: Promise<void>[] = [];
  private readonly problems: string[] = [];
  private readonly memory = new Memory();
  private readonly happened: object[] = [];
  private readonly held: LogEntry[] = [];
  private next = 0;
  private isLost = false;
  private app!: ParityApp;

  private constructor(
    private readonly stage: InboundPropertyStage,
    private readonly strategy: InboundSequence['strategy'],
    /** Commits of earlier sequences. */
    private readonly since: number,
  ) {
    this.sessions.agents.set(stage.did, stage.agent);
  }

  static async on(stage: InboundPropertyStage, { strategy, steps }: InboundSequence): Promise<InboundEnding> {
    process.stderr.write('DBG clear\n');
    await stage.clear();
    const world = new InboundWorld(stage, strategy, (await stage.events()).length);
    await world.start();
    try {
      for (const step of steps) {
        process.stderr.write('DBG ' + JSON.stringify(step) + '\n');
        await world.do(step);
      }
      process.stderr.write('DBG calm\n');
      return await world.calm();
    } finally {
      await world.stop();
    }
  }

  private get did(): string {
    return this.stage.did;
  }

  private get memos(): Repository<MemoBase> {
    return this.app.repository<MemoBase>(MODELS[this.strategy].Memo);
  }

  private async do(step: InboundStep): Promise<void> {
    const { app, stage, memory, did } = this;
    switch (step.kind) {
      case 'insert':
        return this.call(step.waits, async () => {
          const memo = Object.assign(new MODELS[this.strategy].Memo(), {
            did,
            text: memory.text('here'),
            mood: step.mood,
          });
          await this.save(memo, step.waits);
        });
      case 'edit':
      case 'set-mood':
        return this.call(step.waits, async () => {
          const memo = await this.row(step.row);
          if (!memo) return;
          if (step.kind === 'edit') memo.text = memory.text('here');
          else memo.mood = step.mood;
          await this.save(memo, step.waits);
        });
      case 'remove':
        return this.call(step.waits, async () => {
          const memo = await this.row(step.row);
          if (!memo) return;
          memory.removes(memo, step.waits);
          await this.memos.remove(memo);
        });
      case 'roll-back':
        return this.rollBack(step.row);
      case 'put':
        return this.put(`key-${step.key}`, { mood: step.mood, extra: step.extra });
      case 'edit-there': {
        const rkey = (await this.row(step.row))?.getAtpRkey();
        return rkey ? this.put(rkey, { mood: step.mood, extra: step.extra }) : undefined;
      }
      case 'take-back': {
        const rkey = (await this.row(step.row))?.getAtpRkey();
        const before = rkey && memory.before(rkey);
        if (rkey && before) await this.write(rkey, before);
        return;
      }
      case 'delete':
        return this.delete(`key-${step.key}`);
      case 'delete-there': {
        const rkey = (await this.row(step.row))?.getAtpRkey();
        return rkey ? this.delete(rkey) : undefined;
      }
      case 'hear':
        return this.hear(await this.untold(step.events), step.waits);
      case 'hear-again': {
        const all = (await this.all()).slice(0, this.next);
        const again = all[step.event % Math.max(1, all.length)];
        return again && this.hear([again], false);
      }
      case 'hold':
        this.held.push(...(await this.untold(1)));
        return;
      case 'hear-held':
        return this.hear(this.held.splice(0, 1), false);
      case 'lose':
        if ((await this.untold(1)).length > 0) this.isLost = true;
        return;
      case 'import':
        return this.call(step.waits, () => this.import());
      case 'fetch':
        return this.call(
          true,
          async () => void (await app.parity.fetch(`at://${did}/${MEMO}/key-${step.key}`)),
        );
      case 'resolve':
        return this.call(true, () => this.resolve(step.side));
      case 'revoke':
        return this.sessions.revoke(did);
      case 'sign-in':
        this.sessions.signIn(did);
        return app.parity.sessionAvailable(did);
      case 'fault':
        return arrangeFault(stage.servers.proxy, step, this.late);
      case 'land':
        return this.land();
      case 'retry':
        return this.call(true, async () => void (await app.parity.retryPendingSyncs(did)));
      case 'reconcile':
        return this.call(true, async () => void (await app.parity.reconcile(MODELS[this.strategy].Memo)));
      case 'pause':
        await sleep(step.ms);
        return;
      case 'restart':
        await this.stop();
        return this.start();
    }
  }

  private async start(): Promise<void> {
    const { mode, database: _ } = this.stage.kind;
    const { sessions, source, stage } = this;
    const model = MODELS[this.strategy];
    const { options } = stage.database;
    const entities = [...model.entities, ...parityEntities] as Function[];
    this.app = await aParityApp({
      model,
      database: { ...stage.database, options: { ...options, entities }, cleanup: async () => undefined },
      sessions,
      mode,
      storage: 'database',
      pendingSyncs: { autoRetry: true },
      parity: {
        sync: { deadlineMs: 600 },
        pds: { timeoutMs: 500 },
        inbound: {
          accounts: [stage.did],
          plcDirectoryUrl: stage.servers.network.plcUrl,
          allowHttp: true,
          importOnSignIn: false,
          source,
        },
      },
    });
  }

  private async stop(): Promise<void> {
    await Promise.all(this.open.splice(0));
    this.happened.push(...this.app.events);
    await this.app.stop();
  }

  /** Faults off, signed in, all that happened is told, conflicts are decided: then both sides are the same. */
  private async calm(): Promise<InboundEnding> {
    this.stage.servers.proxy.reset();
    this.sessions.signIn(this.did);
    await Promise.all(this.open.splice(0));
    await this.app.parity.sessionAvailable(this.did);
    await this.land();
    await this.idle();
    if (this.isLost) await this.import();
    await this.idle();
    const { rows, records } = await this.sides();
    await this.nothingIsPublishedAgain();
    await this.stop();
    const all = await this.all();
    this.problems.push(
      ...this.happened
        .filter((one) => one instanceof PendingSyncDiscarded || one instanceof RecordRejected)
        .map((one) => `${one.constructor.name} ${JSON.stringify(one)}`),
      ...this.memory.faultsOf(all, toldOf(this.happened, all), rows),
    );
    await this.start();
    return { rows, records, problems: this.problems };
  }

  /** All is told, and nothing is pending. */
  private async idle(): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (let isQuiet = false; !isQuiet;) {
      if (Date.now() > end) throw new Error(`Still pending: ${await this.stillPending()}`);
      const untold = [...this.held.splice(0), ...(await this.untold(Infinity))];
      await this.hear(untold, true);
      await this.resolve('remote');
      await this.app.parity.retryPendingSyncs(this.did);
      isQuiet = untold.length === 0 && !(await this.isPending());
      if (!isQuiet) await sleep(5);
    }
  }

  private async isPending(): Promise<boolean> {
    const { parity } = this.app;
    return (await parity.hasPendingSyncs(this.did)) || (await parity.conflicts.list()).length > 0;
  }

  /** Told once more, imported once more and reconciled, nothing changes on either side. */
  private async nothingIsPublishedAgain(): Promise<void> {
    const { app, did } = this;
    const commits = (await this.all()).length;
    const since = app.events.length;
    await this.hear(await this.all(), true);
    await app.parity.resetImport(did);
    await this.import();
    await app.parity.reconcile(MODELS[this.strategy].Memo);
    for (const end = Date.now() + PATIENCE_MS; await app.parity.hasPendingSyncs(did); await sleep(5)) {
      if (Date.now() > end) throw new Error(`Still pending: ${await this.stillPending()}`);
      await app.parity.retryPendingSyncs(did);
    }
    const more = (await this.all()).slice(commits);
    if (more.length > 0) this.problems.push(`published again: ${JSON.stringify(more)}`);
    const applied = app.events
      .slice(since)
      .filter((one) =>
        [RecordApplied, RecordRemoved, ConflictDetected, ConflictResolved].some(
          (kind) => one instanceof kind,
        ),
      );
    if (applied.length > 0) this.problems.push(`applied again: ${JSON.stringify(applied)}`);
  }

  private async sides(): Promise<Pick<InboundEnding, 'rows' | 'records'>> {
    const found = await this.memos.find();
    const rows = found.map(({ id, atpUri, atpCid, text, mood }) => ({
      uri: atpUri ?? `no record of row ${id}`,
      cid: atpCid,
      text,
      mood,
    }));
    const there = await this.stage.servers.network.listRecords(this.did, MEMO);
    const records = there.map(({ uri, cid, value }) => {
      const { text, mood = null } = value as unknown as MemoRecord;
      return { uri, cid, text, mood };
    });
    const byUri = (one: Written, other: Written): number => (one.uri < other.uri ? -1 : 1);
    return { rows: rows.toSorted(byUri), records: records.toSorted(byUri) };
  }

  /** A step goes on without waiting where it says so. */
  private async call(waits: boolean, call: () => Promise<void>): Promise<void> {
    const tolerant = call().catch((error: unknown) => {
      const isTold = error instanceof AuthenticationError || error instanceof RetryLaterError;
      if (!isTold) this.problems.push(`${String(error)} ${(error as Error).stack ?? ''}`);
    });
    if (waits) await tolerant;
    else this.open.push(tolerant);
  }

  private async row(index: number): Promise<MemoBase | undefined> {
    const rows = await this.memos.find({ order: { id: 'ASC' } });
    return rows[index % Math.max(1, rows.length)];
  }

  private async save(memo: MemoBase, isSure: boolean): Promise<void> {
    try {
      await this.memos.save(memo);
    } finally {
      this.memory.saved(memo, isSure);
    }
  }

  private async rollBack(row: number): Promise<void> {
    const memo = await this.row(row);
    if (!memo) return;
    const undo = new Error('undo');
    await this.app.dataSource
      .transaction(async (manager) => {
        await manager.save(Object.assign(memo, { text: this.memory.text('never') }));
        throw undo;
      })
      .catch((error: unknown) => {
        if (error !== undo) throw error;
      });
  }

  private put(rkey: string, { mood, extra }: { mood: string | null; extra: boolean }): Promise<void> {
    const text = this.memory.text('there');
    const fields = { ...(mood !== null && { mood }), ...(extra && { extra: text }) };
    return this.write(rkey, { text, ...fields });
  }

  private async write(rkey: string, record: MemoRecord): Promise<void> {
    const { data } = await this.stage.other.com.atproto.repo.putRecord({
      repo: this.did,
      collection: MEMO,
      rkey,
      record: { ...record, $type: MEMO },
      validate: false,
    });
    this.memory.theyWrote(rkey, record, data.commit?.rev);
  }

  private async delete(rkey: string): Promise<void> {
    const { data } = await this.stage.other.com.atproto.repo.deleteRecord({
      repo: this.did,
      collection: MEMO,
      rkey,
    });
    this.memory.theyWrote(rkey, null, data.commit?.rev);
  }

  private async all(): Promise<LogEntry[]> {
    return (await this.stage.events()).slice(this.since);
  }

  private async untold(count: number): Promise<LogEntry[]> {
    const events = (await this.all()).slice(this.next, this.next + count);
    this.next += events.length;
    return events;
  }

  private async hear(entries: readonly LogEntry[], waits: boolean): Promise<void> {
    if (entries.length > 0) {
      this.told.push(this.source.push(...entries.map(eventOf)));
    }
    if (!waits) return;
    const all = Promise.all(this.told.splice(0)).then(() => true);
    if (!(await Promise.race([all, sleep(PATIENCE_MS, false, { ref: false })])))
      throw new Error(`Events are not taken: ${await this.stillPending()}`);
  }

  private async import(): Promise<void> {
    for (;;) {
      try {
        await this.app.parity.import(this.did);
        return;
      } catch (error) {
        if (!(error instanceof RetryLaterError)) throw error;
        await sleep(10);
      }
    }
  }

  private async resolve(side: 'local' | 'remote'): Promise<void> {
    const { conflicts } = this.app.parity;
    for (const { id } of await conflicts.list()) await conflicts.resolve(id, side);
  }

  private async land(): Promise<void> {
    for (const held of this.late.splice(0)) await held.land().catch(() => undefined);
  }

  private async stillPending(): Promise<string> {
    const all = await this.app.module.get(PendingSyncManager).forDid(this.did);
    const conflicts = await this.app.parity.conflicts.list();
    return JSON.stringify({ all, conflicts }, null, 1) + this.app.log.lines.slice(-10).join('\n');
  }
}

const eventOf = ({ did, fields }: LogEntry): SourceEvent => ({
  did,
  ...({ cid: null, ...fields } as unknown as Pick<
    RecordEvent,
    'rev' | 'collection' | 'rkey' | 'cid' | 'record'
  >),
  kind: 'record',
  live: true,
});
