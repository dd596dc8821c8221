import type { Agent } from '@atproto/api';
import type { DataSource } from 'typeorm';
import type { ParityError } from '../errors/parity.error.js';
import type { ParityEvents } from '../events/parity-events.js';
import { atUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import type { RepositoryState } from '../pds/repository-state.store.js';
import type { RecordWrite, RepositoryView, RepositoryWriter } from '../pds/repository-writer.js';
import type { Change } from './change.js';
import { decide, NO_DECISION, type Decision } from './decision.js';
import { failedOutcome, settledOutcome, unsettledOutcome, type Outcome } from './outcome.js';
import type { ForeignWrites } from './foreign-writes.js';
import { settle, type Settled } from './settlement.js';
import type { SyncRun } from './sync-run.js';
import { asGone, movedOn, type Target } from './target.js';
import { withUnrecorded, type UnrecordedWritesState } from './unrecorded-writes.store.js';

/** What is done at an address; undefined if it already is as it should be. */
type Action = RecordWrite['action'] | undefined;

export interface WriteRoundConfig {
  readonly did: string;
  readonly agent: Agent;
  readonly writer: RepositoryWriter;
  readonly events: ParityEvents;
  readonly foreign: ForeignWrites;
  readonly validate: boolean | undefined;
  readonly warn: (message: string) => void;
  readonly run: SyncRun;
  readonly state: UnrecordedWritesState;
  /**
   * By at-uri, the CIDs that the run wrote to addresses whose rows do not name them. The round adds to it.
   */
  readonly written: Map<string, string | null>;
  /** Called for each change that is done, or has failed. */
  readonly end: (outcome: Outcome) => void;
}

/** One call of the repository writer for some targets. Each of its commits is settled on its own. */
export class WriteRound {
  private readonly byUri: ReadonlyMap<string, Target>;
  private decision: Decision = NO_DECISION;
  private readonly planned = new Map<Target, Action>();
  private readonly warned = new Set<string>();
  /** At-uris. */
  private readonly done = new Set<string>();
  private readonly stale: Change[] = [];

  constructor(
    private readonly targets: readonly Target[],
    private readonly config: WriteRoundConfig,
  ) {
    this.byUri = new Map(targets.map((target) => [target.uri, target]));
  }

  /** @returns the changes whose row was deleted or changed its address during the write */
  async write(): Promise<readonly Change[]> {
    const { did, agent, writer, validate, state, run } = this.config;
    const report = await writer.write({
      did,
      agent,
      addresses: this.targets.map(({ change }) => change.address),
      validate,
      state,
      backfill: run.backfill,
      ...(run.permit && { permit: run.permit }),
      verify: this.targets.some(needsLook),
      decide: (view) => this.decide(view),
      onCommit: (writes, { rev }, after) => this.settle(this.actionsOf(writes), after, rev),
      onFound: (found, after, at) => this.settle(this.actionsOfFound(found), after, at?.rev),
    });
    this.refuse(report.refused);
    this.refuse(this.decision.conflicts);
    await this.defer(this.decision.foreign);
    await this.settle(new Map(this.open.map((target) => [target, undefined])));
    return this.stale;
  }

  /** What the writer was last asked to do for a target. */
  actionOf(target: Target): Action {
    return this.planned.get(target);
  }

  private get open(): Target[] {
    return this.targets.filter(({ uri }) => !this.done.has(uri));
  }

  /** The writer calls it again whenever the view changes. */
  private decide(view: RepositoryView): readonly RecordWrite[] {
    this.decision = decide(this.targets, view);
    const { writes, overwritten } = this.decision;
    for (const message of overwritten) {
      if (!this.warned.has(message)) this.config.warn(message);
      this.warned.add(message);
    }
    this.planned.clear();
    for (const [target, action] of this.actionsOf(writes)) this.planned.set(target, action);
    return writes;
  }

  private actionsOf(writes: readonly RecordWrite[]): Map<Target, Action> {
    return new Map(
      writes.flatMap(({ address, action }) => {
        const target = this.byUri.get(atUri(address));
        return target ? [[target, action] as const] : [];
      }),
    );
  }

  /**
   * The answer to an earlier request was lost: the record is as it should be, or its key is spent, and the
   * rows do not say so yet.
   */
  private actionsOfFound(found: ReadonlyMap<string, string | null>): Map<Target, Action> {
    const { spent } = this.decision;
    const targets = this.open.filter(({ uri }) => found.has(uri));
    return new Map(targets.map((target) => [spent.has(target.uri) ? asGone(target) : target, undefined]));
  }

  private refuse(errors: ReadonlyMap<string, ParityError>): void {
    for (const [uri, error] of errors) {
      const target = this.byUri.get(uri);
      if (!target || this.done.has(uri)) continue;
      this.done.add(uri);
      this.config.end(failedOutcome(target.change, error, target.row));
    }
  }

  /** Another application's edit may take the place of these changes; its admission decides. */
  private async defer(uris: ReadonlySet<string>): Promise<void> {
    const targets = this.open.filter(({ uri }) => uris.has(uri));
    if (targets.length === 0) return;
    const { foreign, run, end } = this.config;
    const addresses = targets.map(({ change }) => change.address);
    for (const { uri } of targets) this.done.add(uri);
    try {
      const refusals = await foreign.admit(addresses, run.runner);
      for (const { change, row, uri } of targets) {
        const refusal = refusals.get(uri);
        if (refusal) end(failedOutcome(change, refusal, row));
        else {
          const result = new SyncResult('pending', { reason: 'its record was changed elsewhere', uri });
          end({ change, result, entity: change.instance ?? row, isDeferred: true });
        }
      }
    } catch (error) {
      for (const { change, row } of targets) end(failedOutcome(change, error, row, targets.length > 1));
    }
  }

  /** @param rev of the commit that shows what is there; undefined if none does */
  private async settle(
    actions: ReadonlyMap<Target, Action>,
    after?: RepositoryState,
    rev?: string,
  ): Promise<void> {
    const targets = [...actions.keys()];
    for (const [dataSource, group] of Map.groupBy(targets, ({ change }) => change.entity.dataSource))
      for (const settled of await this.settleIn(dataSource, group, after, rev))
        await this.tell(settled, actions.get(settled.target));
  }

  private settleIn(
    dataSource: DataSource,
    targets: readonly Target[],
    after: RepositoryState | undefined,
    rev: string | undefined,
  ): Promise<Settled[]> {
    const { run, state } = this.config;
    return settle(targets, {
      dataSource,
      rev,
      own: () => run.runner?.(),
      leaveOwn: () => run.leaveRunner?.(),
      ledger: run.ledger,
      state: (open) => after && this.stateAfter(after, targets, open),
      kept: () => after && state.keeps(after),
    });
  }

  private async tell({ target, stale, error }: Settled, action: Action): Promise<void> {
    const { end, events, written } = this.config;
    const { uri, desired, change } = target;
    this.done.add(uri);
    if (error) return end(unsettledOutcome(target, error));
    const isSpent = target.spent || this.decision.spent.has(uri);
    const elsewhere = isSpent ? await movedOn(change, target.row) : target.elsewhere;
    const outcome = settledOutcome({ ...target, elsewhere }, action, events);
    if (stale) {
      written.set(uri, desired.kind === 'record' ? desired.prepared.cid : null);
      this.stale.push(change);
    } else {
      written.delete(uri);
      end(outcome);
    }
  }

  /**
   * What is kept together with the rows that now name their records. The rows of the `open` targets do not.
   */
  private stateAfter(
    after: RepositoryState,
    targets: readonly Target[],
    open: readonly Target[],
  ): RepositoryState {
    const untaken = new Map<string, string | null>(this.config.written);
    for (const { uri } of targets) untaken.delete(uri);
    for (const { uri, desired } of open)
      untaken.set(uri, desired.kind === 'record' ? desired.prepared.cid : null);
    return withUnrecorded(after, untaken);
  }
}

/**
 * Whether the database's memory is not enough: other applications write to this address too, and must not be
 * overwritten.
 */
const needsLook = ({ change: { entity }, known }: Target): boolean =>
  known === null ? entity.hasFixedRkey : entity.sync.onConflict === 'fail';
