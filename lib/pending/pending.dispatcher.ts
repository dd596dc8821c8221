import type { DataSource, QueryRunner } from 'typeorm';
import { atUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import { onCommittedData } from '../records/committed-data.js';
import type { Change, Touch } from '../sync/change.js';
import { resolveTouches, type Resolved } from '../sync/change-resolver.js';
import { InlineDispatcher, type InlineDispatcherOptions } from '../sync/inline.dispatcher.js';
import { mergedByAddress } from '../sync/merged-changes.js';
import type { Outcome } from '../sync/outcome.js';
import type { SyncRun } from '../sync/sync-engine.js';
import { toPending, type LaneTries, type Tried } from './lane-tries.js';

export interface PendingDispatcherOptions extends InlineDispatcherOptions {
  readonly tries: LaneTries;
}

/** Inline with pending syncs: what fails, or meets a lane where nothing can be done now, is kept, and its caller goes on. */
export class PendingDispatcher extends InlineDispatcher {
  protected readonly tries: LaneTries;
  /** What was captured in a transaction, by each touch of it. */
  private readonly captured = new WeakMap<Touch, Resolved>();

  constructor(options: PendingDispatcherOptions) {
    super(options);
    this.tries = options.tries;
  }

  /** With a durable store the changes are captured here, in the entity's transaction; an error rolls it back. */
  override async beforeCommit(touches: readonly Touch[], runner: QueryRunner): Promise<void> {
    const { store } = this.tries.options;
    if (!store.durable) return;
    const resolved = await resolveTouches(touches, runner);
    const changes = [...mergedByAddress(resolved.changes).values()];
    if (changes.length > 0) await store.capture(changes.map(toPending), runner);
    for (const touch of touches) this.captured.set(touch, resolved);
  }

  /** What was captured before the commit is known; what joined the transaction after that is captured now. */
  protected override async resolve(
    dataSource: DataSource,
    touches: readonly Touch[],
    run: SyncRun,
  ): Promise<Resolved> {
    const { store } = this.tries.options;
    if (!store.durable) return super.resolve(dataSource, touches, run);
    const early = [...new Set(touches.map((touch) => this.captured.get(touch)))].filter(
      (one) => one !== undefined,
    );
    const rest = touches.filter((touch) => !this.captured.has(touch));
    const late =
      rest.length > 0 ? await super.resolve(dataSource, rest, run) : { changes: [], unresolved: [] };
    if (late.changes.length > 0) {
      await onCommittedData(dataSource, run.runner?.(), (runner) =>
        store.capture([...mergedByAddress(late.changes).values()].map(toPending), runner),
      );
    }
    const all = [...early, late];
    return {
      changes: all.flatMap(({ changes }) => changes),
      unresolved: all.flatMap(({ unresolved }) => unresolved),
    };
  }

  override async dispatch(changes: readonly Change[]): Promise<SyncResult[]> {
    if (this.tries.options.store.durable) await this.tries.options.store.capture(changes.map(toPending));
    return super.dispatch(changes);
  }

  /** With a durable store the change is in the ledger, and has to be settled there. */
  protected override async quick(change: Change): Promise<SyncResult | null> {
    const { store } = this.tries.options;
    return store.durable || this.tries.isRunning(change.address.did) ? null : super.quick(change);
  }

  protected override async work(
    did: string,
    changes: readonly Change[],
    run: SyncRun,
  ): Promise<Map<Change, SyncResult>> {
    try {
      const { store } = this.tries.options;
      const lane = await store.lane(did);
      const closed = await this.tries.closed(lane);
      if (closed !== null) return await this.later(did, changes, closed, lane.park !== null);
      const lease = await this.tries.lease(did);
      if (!lease) {
        const later = await this.later(did, changes, 'another worker has the lane', false);
        await store.wake(did);
        return later;
      }
      const entries = await this.tries.entriesAt(did, changes);
      return this.results(await this.tries.run(lease, lane.failures, changes, entries, run));
    } catch (error) {
      // The store failed: with a durable one the change is in the ledger all the same.
      for (const change of changes) {
        this.report(
          { change, result: new SyncResult('failed', { error: error as Error }), entity: change.instance },
          false,
        );
      }
      return new Map(changes.map((change) => [change, new SyncResult('failed', { error: error as Error })]));
    }
  }

  private async later(
    did: string,
    changes: readonly Change[],
    reason: string,
    parked: boolean,
  ): Promise<Map<Change, SyncResult>> {
    const entries = await this.tries.capture(did, changes);
    const tell = parked || !this.tries.options.store.durable;
    for (const change of changes) {
      const entry = entries.get(atUri(change.address));
      if (entry && tell) this.tries.captured(entry.sync, change.instance);
    }
    return new Map(
      changes.map((change) => [change, new SyncResult('pending', { reason, uri: atUri(change.address) })]),
    );
  }

  private results({ outcomes, kept }: Tried): Map<Change, SyncResult> {
    const results = new Map<Change, SyncResult>();
    for (const outcome of outcomes) {
      const { change, entity } = outcome;
      const entry = kept.get(atUri(change.address));
      this.report(outcome, entry !== undefined);
      if (entry) this.tries.captured(entry.sync, entity);
      results.set(change, asPending(outcome, entry !== undefined));
    }
    return results;
  }
}

/** A failure of the record itself stays a failure; every other one is only a matter of time, or of signing in. */
function asPending({ result, failure, change }: Outcome, kept: boolean): SyncResult {
  if (!kept || !failure || failure.kind === 'permanent' || failure.kind === 'conflict') return result;
  return new SyncResult('pending', { error: failure.error, uri: atUri(change.address) });
}
