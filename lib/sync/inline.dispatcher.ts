import type { QueryRunner } from 'typeorm';
import { SyncFailed } from '../events/sync-failed.event.js';
import type { ParityEvents } from '../events/parity-events.js';
import { SyncResult } from '../model/sync-result.js';
import type { SyncOperation } from '../model/pending-sync.js';
import { onCommittedData } from '../records/committed-data.js';
import type { SyncedEntity } from '../records/synced-entity.js';
import type { Change, Touch } from './change.js';
import { resolveTouches, type Resolved } from './change-resolver.js';
import { LaneQueue } from './lane-queue.js';
import type { Outcome } from './outcome.js';
import { quickResult } from './quick-result.js';
import { SyncDispatcher, type Dispatched } from './sync-dispatcher.js';
import type { SyncEngine, SyncRun } from './sync-engine.js';

export interface InlineDispatcherOptions {
  readonly engine: SyncEngine;
  readonly events: ParityEvents;
  /** How long a caller waits, in ms; the work goes on without it. */
  readonly deadline: number;
  readonly log: { debug(message: string): void; error(message: string): void };
}

/** Does at once what changed, while the caller waits. Nothing is kept of what fails: that takes pending syncs. */
export class InlineDispatcher extends SyncDispatcher {
  protected readonly lanes = new LaneQueue();

  constructor(protected readonly options: InlineDispatcherOptions) {
    super();
  }

  override beforeCommit(_touches: readonly Touch[], _runner: QueryRunner): Promise<void> {
    return Promise.resolve();
  }

  override async afterCommit(touches: readonly Touch[], run: SyncRun = {}): Promise<Dispatched[]> {
    const dispatched: Dispatched[] = [];
    for (const [dataSource, group] of Map.groupBy(touches, ({ entity }) => entity.dataSource)) {
      let resolved: Resolved;
      try {
        resolved = await onCommittedData(dataSource, run.runner?.(), (runner) =>
          resolveTouches(group, runner),
        );
      } catch (error) {
        resolved = { changes: [], unresolved: group.map((touch) => ({ touch, error: error as Error })) };
      }
      for (const { touch, error } of resolved.unresolved) {
        this.failed({ ...touch, operation: 'publish' }, error, false);
        dispatched.push({ result: new SyncResult('failed', { error }), origin: touch.origin });
      }
      const results = await this.dispatch(resolved.changes, run);
      resolved.changes.forEach(({ origin }, index) => {
        const result = results[index];
        if (result) dispatched.push({ result, origin });
      });
    }
    return dispatched;
  }

  override async dispatch(changes: readonly Change[], run: SyncRun = {}): Promise<SyncResult[]> {
    const results = new Map<Change, SyncResult>();
    const lanes = [...Map.groupBy(changes, ({ address }) => address.did)].map(([did, lane]) =>
      this.lane(did, lane, run, results),
    );
    await this.untilDeadline(Promise.all(lanes), run);
    return changes.map(
      (change) =>
        results.get(change) ??
        new SyncResult('pending', { reason: 'still under way when the deadline was over' }),
    );
  }

  override drain(): Promise<void> {
    return this.lanes.idle();
  }

  /** Works on the changes of one DID; called by one caller at a time for each. Never throws. */
  protected async work(
    did: string,
    changes: readonly Change[],
    run: SyncRun,
  ): Promise<Map<Change, SyncResult>> {
    const outcomes = await this.options.engine.run(did, changes, run);
    for (const outcome of outcomes) this.report(outcome, false);
    return new Map(outcomes.map(({ change, result }) => [change, result]));
  }

  /** Tells what failed. */
  protected report({ change, result, entity }: Outcome, willRetry: boolean): void {
    if (result.isFailed() && result.error)
      this.failed({ ...change, instance: entity, uri: result.uri }, result.error, willRetry);
  }

  private async lane(
    did: string,
    changes: readonly Change[],
    run: SyncRun,
    results: Map<Change, SyncResult>,
  ): Promise<void> {
    const rest: Change[] = [];
    for (const change of changes) {
      const quick = this.lanes.isBusy(did) ? null : await this.quick(change);
      if (quick) results.set(change, quick);
      else rest.push(change);
    }
    if (rest.length === 0) return;
    for (const [change, result] of await this.lanes.run(did, () => this.work(did, rest, run)))
      results.set(change, result);
  }

  protected quick(change: Change): Promise<SyncResult | null> {
    return quickResult(change);
  }

  private async untilDeadline(work: Promise<unknown>, run: SyncRun): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.options.deadline);
    await Promise.race([work, over]);
    clearTimeout(timer);
    run.onDeadline?.();
  }

  private failed(
    about: {
      entity: SyncedEntity;
      entityId: string;
      operation: SyncOperation;
      instance: object | undefined;
      uri?: string | undefined;
    },
    error: Error,
    willRetry: boolean,
  ): void {
    const { did } = error as { did?: string };
    this.options.log.error(
      `${about.operation} of ${about.entity.name} ${about.entityId} failed: ${error.message}`,
    );
    this.options.events.emit(
      new SyncFailed(
        did,
        about.uri,
        about.operation,
        error,
        willRetry,
        about.entity.name,
        about.entityId,
        about.instance,
      ),
    );
  }
}
