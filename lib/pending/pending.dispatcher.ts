import type { DataSource, QueryRunner } from 'typeorm';
import { atUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import { onCommittedData } from '../records/committed-data.js';
import { RecordRows } from '../records/record-row.js';
import type { Change, Resolved, Touch, Unresolved } from '../sync/change.js';
import { UNRESOLVED_DID, unresolvedChange } from '../sync/unresolved.js';
import { resolveTouches } from '../sync/change-resolver.js';
import { InlineDispatcher, type InlineDispatcherOptions, type Results } from '../sync/inline.dispatcher.js';
import type { Outcome } from '../sync/outcome.js';
import type { Dispatched } from '../sync/sync-dispatcher.js';
import type { SyncRun } from '../sync/sync-run.js';
import { Captures } from './captures.js';
import { toPending } from './entry-change.js';
import type { LaneTries, Tried } from './lane-tries.js';
import type { PendingEntry } from './pending-entry.js';

export interface PendingDispatcherOptions extends InlineDispatcherOptions {
  readonly tries: LaneTries;
}

/** Inline with pending syncs: what fails, or meets a lane where nothing can be done now, is kept, and its caller goes on. */
export class PendingDispatcher extends InlineDispatcher {
  protected readonly tries: LaneTries;
  private readonly captures: Captures;

  constructor(options: PendingDispatcherOptions) {
    super(options);
    this.tries = options.tries;
    this.captures = new Captures(options.tries.options.store);
  }

  override get settledCount(): number {
    return super.settledCount + this.tries.endedCount;
  }

  /** With a durable store the changes are captured here, in the entity's transaction; an error rolls it back. */
  override async beforeCommit(touches: readonly Touch[], runner: QueryRunner): Promise<void> {
    const { store } = this.tries.options;
    if (!store.durable) return;
    const resolved = await resolveTouches(touches, runner, this.settledCount);
    const captured = await this.captures.capture(resolved, runner);
    if (resolved.unresolved.length > 0)
      await store.capture(resolved.unresolved.map(unresolvedChange).map(toPending), runner);
    for (const touch of touches) touch.captured = captured;
  }

  override afterCommit(touches: readonly Touch[], run?: SyncRun): Promise<Dispatched[]> {
    const captured = capturedOf(touches);
    const asksMore =
      touches.some((touch) => !touch.captured) ||
      captured.some(({ unresolved, unowned }) => unresolved.length > 0 || unowned.length > 0);
    return !asksMore && captured.every((one) => this.completes(one))
      ? Promise.resolve([])
      : super.afterCommit(touches, run);
  }

  /** Does what can be done at once after what was captured with its commit. Whether that was all. */
  protected completes({ changes }: Resolved): boolean {
    return changes.every(({ settled }) => settled);
  }

  /** What was captured before the commit is known; what joined the transaction after that is captured now. */
  protected override async resolve(
    dataSource: DataSource,
    touches: readonly Touch[],
    run: SyncRun,
  ): Promise<Resolved> {
    const { store } = this.tries.options;
    if (!store.durable) return super.resolve(dataSource, touches, run);
    const early = capturedOf(touches);
    const rest = touches.filter((touch) => !touch.captured);
    const [only] = early;
    if (only && early.length === 1 && rest.length === 0) return only;
    const late =
      rest.length > 0
        ? await super.resolve(dataSource, rest, run)
        : { changes: [], unresolved: [], unowned: [] };
    const captured =
      late.changes.length > 0
        ? await onCommittedData(dataSource, run.runner?.(), (runner) => this.captures.capture(late, runner))
        : late;
    // What joined the transaction after its capture, and could not be told.
    if (late.unresolved.length > 0) await store.capture(late.unresolved.map(unresolvedChange).map(toPending));
    const all = [...early, captured];
    return {
      changes: all.flatMap(({ changes }) => changes),
      unresolved: all.flatMap(({ unresolved }) => unresolved),
      unowned: all.flatMap(({ unowned }) => unowned),
    };
  }

  /** With a durable store they are captured as a change is. */
  protected override async keepUnresolved(unresolved: readonly Unresolved[]): Promise<boolean> {
    const { store } = this.tries.options;
    try {
      if (!store.durable) await store.capture(unresolved.map(unresolvedChange).map(toPending));
      await store.wake(UNRESOLVED_DID);
      return true;
    } catch {
      // A durable store has them all the same, and its sweep finds them.
      return store.durable;
    }
  }

  override async dispatch(changes: readonly Change[]): Promise<SyncResult[]> {
    if (changes.every(({ trigger }) => trigger === 'unpublish') && (await this.areGone(changes)))
      return changes.map(() => new SyncResult('unchanged'));
    if (this.tries.options.store.durable) await this.tries.options.store.capture(changes.map(toPending));
    return super.dispatch(changes);
  }

  /** Whether no entity has a record, and none is on its way: then there is nothing to keep until an account signs in. */
  private async areGone(changes: readonly Change[]): Promise<boolean> {
    for (const { entity, entityId, address } of changes) {
      if (this.tries.isRunning(address.did) || (await this.tries.options.store.inspect(atUri(address))))
        return false;
      // After that look: what was on its way may have arrived before it.
      const row = await onCommittedData(entity.dataSource, undefined, (runner) =>
        new RecordRows(entity).read(runner, [entityId]),
      );
      if (row.get(entityId)?.uri) return false;
    }
    return true;
  }

  /** With a durable store the change is in the ledger, and has to be settled there. */
  protected override async quick(change: Change, run: SyncRun): Promise<SyncResult | null> {
    const { store } = this.tries.options;
    return store.durable || this.tries.isRunning(change.address.did) ? null : super.quick(change, run);
  }

  protected override async work(did: string, changes: readonly Change[], run: SyncRun): Promise<Results> {
    const tries = this.tries.on(run.runner);
    const { store } = tries.options;
    try {
      const lane = await store.lane(did);
      const closed = await tries.closed(lane);
      const held = closed === null ? await tries.hold(lane) : null;
      if (!held) {
        const reason = closed ?? 'another worker has the lane';
        const later = await this.later(tries, did, changes, reason, lane.park !== null);
        // Its host may have to wait, but the lane knows nothing of it.
        if (!lane.park) await store.wake(did);
        return later;
      }
      try {
        const entries = await tries.entriesAt(did, changes);
        const known = changes.map((change) => withLedger(change, entries.get(atUri(change.address))));
        const one = { held, changes: known, entries, next: 'as-before' } as const;
        return this.results(await tries.run({ ...one, backfill: false, isRetry: false }, run));
      } finally {
        await held.release();
      }
    } catch (error) {
      const result = this.storeFailed(changes, error as Error);
      return new Map(changes.map(({ address }) => [atUri(address), result]));
    }
  }

  /** A durable store has the changes all the same. */
  protected storeFailed(changes: readonly Change[], error: Error): SyncResult {
    const { durable } = this.tries.options.store;
    const result = new SyncResult(durable ? 'pending' : 'failed', { error });
    for (const change of changes) this.report({ change, result, entity: change.instance }, durable);
    return result;
  }

  private async later(
    tries: LaneTries,
    did: string,
    changes: readonly Change[],
    reason: string,
    parked: boolean,
  ): Promise<Results> {
    const entries = await tries.capture(did, changes);
    const tell = parked || !tries.options.store.durable;
    const results: Results = new Map();
    for (const { address, instance } of changes) {
      const uri = atUri(address);
      const entry = entries.get(uri);
      if (entry && tell) tries.captured(entry.sync, instance);
      results.set(uri, new SyncResult('pending', { reason, uri }));
    }
    return results;
  }

  private results({ outcomes, kept }: Tried): Results {
    const results: Results = new Map();
    for (const outcome of outcomes) {
      const uri = atUri(outcome.change.address);
      const entry = kept.get(uri);
      this.report(outcome, entry !== undefined);
      if (entry) this.tries.captured(entry.sync, outcome.entity);
      results.set(uri, asPending(outcome, entry !== undefined));
    }
    return results;
  }
}

/** What touches came to that were captured with their commits. */
const capturedOf = (touches: readonly Touch[]): Resolved[] =>
  [...new Set(touches.map(({ captured }) => captured))].filter((one) => one !== undefined);

/** What is at the address as the ledger knows it: a row may not have heard of its record (its write-back was rolled back by a stranger). */
const withLedger = (change: Change, entry: PendingEntry | undefined): Change =>
  change.cid === null && entry?.cid ? { ...change, cid: entry.cid } : change;

/** A failure of the record itself stays a failure; every other one is only a matter of time, or of signing in. */
function asPending({ result, failure, change }: Outcome, kept: boolean): SyncResult {
  if (!kept || !failure || failure.kind === 'permanent' || failure.kind === 'conflict') return result;
  return new SyncResult('pending', { error: failure.error, uri: atUri(change.address) });
}
