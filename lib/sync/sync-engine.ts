import type { QueryRunner } from 'typeorm';
import type { RecordConflictError } from '../errors/record-conflict.error.js';
import type { ParityEvents } from '../events/parity-events.js';
import { atUri } from '../model/address.js';
import { isInDoubt, type RepositoryStateStore } from '../pds/repository-state.store.js';
import type { RecordWrite, RepositoryWriter } from '../pds/repository-writer.js';
import { onCommittedData } from '../records/committed-data.js';
import type { SessionProvider } from '../sessions/session-provider.js';
import type { Change } from './change.js';
import { decide } from './decision.js';
import { failedOutcome, outcomeWithoutWrite, settledOutcome, type Outcome } from './outcome.js';
import { settle } from './settlement.js';
import { targetOf, type Target } from './target.js';

export interface SyncEngineOptions {
  readonly writer: RepositoryWriter;
  readonly state: RepositoryStateStore;
  readonly sessions: SessionProvider;
  readonly events: ParityEvents;
  /** Sent with every write: true, false, or undefined to leave it to the PDS. */
  readonly validate: boolean | undefined;
  readonly warn: (message: string) => void;
}

export interface SyncRun {
  /** The caller's connection after its commit, for as long as the caller waits; undefined: one of the pool. */
  readonly runner?: () => QueryRunner | undefined;
  /** The caller goes on: its connection is its own again. */
  readonly onDeadline?: () => void;
}

/** How often an address whose row changed under the write is decided again at once. */
const MAX_PASSES = 5;

/**
 * Brings the addresses of one DID to what they should be now. It never replays an operation: it asks which entity claims an
 * address, so ten edits make one write, and an entity that changed meanwhile is seen as it is.
 * The caller sees to it that one run per DID is under way.
 */
export class SyncEngine {
  constructor(private readonly options: SyncEngineOptions) {}

  /** Never throws: failures are in the outcomes, one per change, in their order. */
  async run(did: string, changes: readonly Change[], run: SyncRun = {}): Promise<Outcome[]> {
    const pass = new SyncPass(did, this.options, run);
    let open = [...changes];
    for (let count = 1; open.length > 0 && count <= MAX_PASSES; count++) open = await pass.over(open);
    return changes.map(
      (change) =>
        pass.outcomes.get(change) ??
        failedOutcome(change, new Error('The entity kept changing while its record was written.'), undefined),
    );
  }
}

class SyncPass {
  readonly outcomes = new Map<Change, Outcome>();
  /** What this run wrote to addresses whose rows could not take it up. */
  private readonly written = new Map<Change, string>();

  constructor(
    private readonly did: string,
    private readonly options: SyncEngineOptions,
    private readonly run: SyncRun,
  ) {}

  /** @returns the changes whose row went or changed its address under the write: they have to be decided again */
  async over(changes: readonly Change[]): Promise<Change[]> {
    try {
      const targets = await this.targets(changes);
      const state = await this.options.state.load(this.did);
      const work: Target[] = [];
      for (const target of targets) {
        const outcome = outcomeWithoutWrite(target, target.change.mayExist || isInDoubt(state, target.uri));
        if (outcome) this.outcomes.set(target.change, outcome);
        else work.push(target);
      }
      return work.length === 0 ? [] : await this.write(work);
    } catch (error) {
      for (const change of changes) {
        if (!this.outcomes.has(change)) this.outcomes.set(change, failedOutcome(change, error, undefined));
      }
      return [];
    }
  }

  /** One query per entity class, on committed data. */
  private async targets(changes: readonly Change[]): Promise<Target[]> {
    const targets: Promise<Target>[] = [];
    for (const [entity, group] of Map.groupBy(changes, (change) => change.entity)) {
      const ids = [...new Set(group.map(({ entityId }) => entityId))];
      const rows = await onCommittedData(entity.dataSource, this.run.runner?.(), (runner) =>
        entity.load(ids, runner.manager),
      );
      for (const change of group) {
        targets.push(targetOf(change, rows.get(change.entityId), this.written.get(change) ?? null));
      }
    }
    return Promise.all(targets);
  }

  private async write(targets: readonly Target[]): Promise<Change[]> {
    const stale: Change[] = [];
    const byUri = new Map(targets.map((target) => [target.uri, target]));
    let conflicts = new Map<string, RecordConflictError>();
    const done = new Set<Target>();
    const settleAll = async (
      written: readonly (readonly [Target, RecordWrite['action'] | undefined])[],
    ): Promise<void> => {
      for (const [dataSource, group] of Map.groupBy(written, ([{ change }]) => change.entity.dataSource)) {
        const actions = new Map(group);
        const settled = await onCommittedData(dataSource, this.run.runner?.(), (runner) =>
          settle([...actions.keys()], runner),
        );
        for (const { target, stale: isStale } of settled) {
          done.add(target);
          this.outcomes.set(target.change, settledOutcome(target, actions.get(target), this.options.events));
          if (!isStale || target.desired.kind !== 'record') continue;
          this.written.set(target.change, target.desired.prepared.cid);
          stale.push(target.change);
        }
      }
    };
    const report = await this.options.writer.write({
      did: this.did,
      agent: await this.options.sessions.agentFor(this.did),
      addresses: targets.map(({ change }) => change.address),
      validate: this.options.validate,
      verify: targets.some(
        ({ change, known }) => change.mayExist || (known === null && change.entity.hasFixedRkey),
      ),
      decide: (view) => {
        const decision = decide(targets, view);
        conflicts = decision.conflicts;
        decision.overwritten.forEach(this.options.warn);
        return decision.writes;
      },
      onCommit: (writes) =>
        settleAll(
          writes.flatMap(({ address, action }) => {
            const target = byUri.get(atUri(address));
            return target ? [[target, action] as const] : [];
          }),
        ),
      // An answer was lost: the record is as it should be, and the rows do not know it yet.
      onFound: (found) =>
        settleAll(
          targets
            .filter((target) => found.has(target.uri) && !done.has(target))
            .map((target) => [target, undefined]),
        ),
    });
    for (const [uri, error] of [...report.refused, ...conflicts]) {
      const target = byUri.get(uri);
      if (!target || done.has(target)) continue;
      done.add(target);
      this.outcomes.set(target.change, failedOutcome(target.change, error, target.row));
    }
    await settleAll(targets.filter((target) => !done.has(target)).map((target) => [target, undefined]));
    return stale;
  }
}
