import type { DataSource, QueryRunner } from 'typeorm';
import { reasonOf } from '../errors/reason-of.js';
import { atUri, type Address } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import { onCommittedData } from '../database/committed-data.js';
import { RecordRows } from '../entities/record-row.js';
import { rowsOfTransaction } from '../database/row-access.js';
import { keptTrigger } from '../sync/asked-by-hand.js';
import type { Change, Resolved, EntityWrite, Unresolved } from '../sync/change.js';
import { UNRESOLVED_DID, unresolvedChange } from '../sync/unresolved.js';
import { resolveWrites } from '../sync/change-resolver.js';
import { InlineDispatcher, type InlineDispatcherOptions, type Results } from '../sync/inline.dispatcher.js';
import type { Outcome } from '../sync/outcome.js';
import { quickResult, rowsOf } from '../sync/quick-result.js';
import type { Dispatched } from '../sync/sync-dispatcher.js';
import type { SyncRun } from '../sync/sync-run.js';
import { DurableCapture } from './durable-capture.js';
import { toPending } from '../pending/change-entries.js';
import type { LaneAttempts, AttemptResult } from './lane-attempts.js';
import { parkedError } from './parked-error.js';
import type { Park, PendingEntry } from '../pending/pending-entry.js';

export interface PendingDispatcherOptions extends InlineDispatcherOptions {
  readonly attempts: LaneAttempts;
  /** Whether the caller of a change that meets a parked lane gets the error that parked it. */
  readonly whenParked: 'throw' | 'keep';
}

/**
 * Inline with pending syncs: what fails, or meets a lane where nothing can be done now, is kept, and its
 * caller goes on.
 */
export class PendingDispatcher extends InlineDispatcher {
  protected readonly attempts: LaneAttempts;
  private readonly captures: DurableCapture;
  private readonly whenParked: 'throw' | 'keep';

  constructor(options: PendingDispatcherOptions) {
    super(options);
    this.attempts = options.attempts;
    this.whenParked = options.whenParked;
    this.captures = new DurableCapture(options.attempts.options.store);
  }

  override get settledCount(): number {
    return super.settledCount + this.attempts.endedCount;
  }

  /**
   * With a durable store the changes are captured here, in the entity's transaction; an error rolls it back.
   */
  override async beforeCommit(writes: readonly EntityWrite[], runner: QueryRunner): Promise<void> {
    const { store } = this.attempts.options;
    if (!store.durable) return;
    const resolved = await resolveWrites(writes, rowsOfTransaction(runner), this.settledCount);
    const captured = await this.captures.capture(resolved, runner);
    if (resolved.unresolved.length > 0)
      await store.capture(resolved.unresolved.map(unresolvedChange).map(toPending), runner);
    for (const write of writes) write.captured = captured;
  }

  override afterCommit(writes: readonly EntityWrite[], run?: SyncRun): Promise<Dispatched[]> {
    const captured = capturedOf(writes);
    const asksMore =
      writes.some((write) => !write.captured) ||
      captured.some(({ unresolved, unowned }) => unresolved.length > 0 || unowned.length > 0);
    return !asksMore && captured.every((one) => this.completes(one))
      ? Promise.resolve([])
      : super.afterCommit(writes, run);
  }

  /** Does what can be done at once after what was captured with its commit. Whether that was all. */
  protected completes({ changes }: Resolved): boolean {
    return changes.every(({ settled }) => settled);
  }

  /**
   * What was captured before the commit is known; what joined the transaction after that, or could not be
   * told in it, is captured now.
   */
  protected override async resolve(
    dataSource: DataSource,
    writes: readonly EntityWrite[],
    run: SyncRun,
  ): Promise<Resolved> {
    const { store } = this.attempts.options;
    if (!store.durable) return super.resolve(dataSource, writes, run);
    const early = capturedOf(writes);
    // In its transaction an entity can tell only what it can at once.
    const again = early.flatMap(({ unresolved }) => unresolved.map(({ write }) => write));
    const rest = [...again, ...writes.filter((write) => !write.captured)];
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
    // What was kept of those that could be told now is to be settled; the sweep finds it otherwise.
    else if (again.length > 0) await store.wake(UNRESOLVED_DID).catch(() => undefined);
    const all = [...early, captured];
    return {
      changes: all.flatMap(({ changes }) => changes),
      unresolved: captured.unresolved,
      unowned: all.flatMap(({ unowned }) => unowned),
    };
  }

  /** With a durable store they are captured as a change is. */
  protected override async keepUnresolved(unresolved: readonly Unresolved[]): Promise<boolean> {
    const { store } = this.attempts.options;
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
    if (this.attempts.options.store.durable)
      await this.attempts.options.store.capture(changes.map(toPending));
    return super.dispatch(changes);
  }

  /**
   * While the application shuts down, what is kept durably is left to its next start, or to another process.
   */
  protected override async deliver(
    changes: readonly Change[],
    run: SyncRun,
    worked?: ReadonlySet<string>,
  ): Promise<SyncResult[]> {
    const { store } = this.attempts.on(run.runner).options;
    if (!this.isStopped || !store.durable) return super.deliver(changes, run, worked);
    const open = changes.filter(({ settled }) => !settled);
    try {
      for (const did of new Set(open.map(({ address }) => address.did))) await store.wake(did);
    } catch (error) {
      this.storeFailed(open, error as Error);
    }
    const reason = 'the application shuts down';
    return changes.map(
      ({ settled, address }) => settled ?? new SyncResult('pending', { reason, uri: atUri(address) }),
    );
  }

  /**
   * Whether no entity has a record, and none is on its way: then there is nothing to keep until an account
   * signs in.
   */
  private async areGone(changes: readonly Change[]): Promise<boolean> {
    for (const { entity, entityId, address } of changes) {
      if (this.attempts.isRunning(address.did) || (await this.mayBeKept(address))) return false;
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
    const { store } = this.attempts.options;
    if (store.durable || this.attempts.isRunning(change.address.did)) return null;
    const quick = await super.quick(change, run);
    // What is kept there may ask for more than the row does.
    return quick && (await this.mayBeKept(change.address)) ? null : quick;
  }

  /** Of a store that cannot be asked nothing is known. */
  private async mayBeKept(address: Address): Promise<boolean> {
    return this.attempts.options.store.inspect(atUri(address)).then(
      (kept) => kept !== null,
      () => true,
    );
  }

  protected override async work(did: string, changes: readonly Change[], run: SyncRun): Promise<Results> {
    const attempts = this.attempts.on(run.runner);
    const { store } = attempts.options;
    try {
      const entered = await attempts.gate.enter(
        did,
        changes.map(({ address }) => address),
      );
      if (!('held' in entered)) {
        const { reason, park } = entered;
        if (park) return await this.parked(attempts, did, changes, { reason, park }, run);
        const later = await this.later(attempts, did, changes, reason);
        // Its host may have to wait, but the lane knows nothing of it.
        await store.wake(did);
        return later;
      }
      const { held, entries } = entered;
      try {
        const known = changes.map((change) => withKept(change, entries.get(atUri(change.address))));
        const one = { held, changes: known, entries, next: 'as-before', givesBack: true } as const;
        return this.results(did, await attempts.run({ ...one, backfill: false, isRetry: false }, run));
      } finally {
        // The results are what they are, and the lease ends by itself.
        await held.release().catch((error: unknown) => this.logStoreError(did, error));
      }
    } catch (error) {
      if (!store.durable) return this.withoutStore(did, changes, run, error);
      const result = this.storeFailed(changes, error as Error);
      return new Map(changes.map(({ address }) => [atUri(address), result]));
    }
  }

  /**
   * A cache that fails must not keep a record from being written: the changes are tried as they are with pending syncs
   * off, and their callers hear what became of them.
   */
  private withoutStore(
    did: string,
    changes: readonly Change[],
    run: SyncRun,
    error: unknown,
  ): Promise<Results> {
    this.logStoreError(did, error);
    return super.work(did, changes, run);
  }

  protected logStoreError(did: string, error: unknown): void {
    const { durable } = this.attempts.options.store;
    this.options.log.error(
      `Storing the pending syncs of ${did} failed${durable ? '' : ', so that what fails now is not kept'}: ${reasonOf(error)}`,
    );
  }

  /** A durable store has the changes all the same. */
  private storeFailed(changes: readonly Change[], error: Error): SyncResult {
    const { durable } = this.attempts.options.store;
    const result = new SyncResult(durable ? 'pending' : 'failed', { error });
    for (const change of changes) this.report({ change, result, entity: change.instance }, durable);
    return result;
  }

  /**
   * What its caller waits for is kept, and the caller gets the error that parked the lane, unless the change
   * asks for nothing.
   */
  private async parked(
    attempts: LaneAttempts,
    did: string,
    changes: readonly Change[],
    { reason, park }: { reason: string; park: Park },
    run: SyncRun,
  ): Promise<Results> {
    const results = await this.later(attempts, did, changes, reason, true);
    if (this.whenParked === 'keep') return results;
    const asking: Change[] = [];
    for (const change of changes) if (!(await asksForNothing(change, run.runner?.()))) asking.push(change);
    const error = parkedError(did, park, asking);
    for (const { address } of asking) {
      const uri = atUri(address);
      results.set(uri, new SyncResult('pending', { reason, error, uri }));
    }
    return results;
  }

  private async later(
    attempts: LaneAttempts,
    did: string,
    changes: readonly Change[],
    reason: string,
    isParked = false,
  ): Promise<Results> {
    const entries = await attempts.capture(did, changes);
    const tell = isParked || !attempts.options.store.durable;
    const results: Results = new Map();
    for (const { address, instance } of changes) {
      const uri = atUri(address);
      const entry = entries.get(uri);
      if (entry && tell) attempts.captured(entry.sync, instance);
      results.set(uri, new SyncResult('pending', { reason, uri }));
    }
    return results;
  }

  private results(did: string, { outcomes, kept, storeError }: AttemptResult): Results {
    if (storeError) this.logStoreError(did, storeError);
    const results: Results = new Map();
    for (const outcome of outcomes) {
      const uri = atUri(outcome.change.address);
      const entry = kept.get(uri);
      this.report(outcome, entry !== undefined);
      if (entry) this.attempts.captured(entry.sync, outcome.entity);
      results.set(uri, asPending(outcome, entry !== undefined));
    }
    return results;
  }
}

/** As far as its row knows. */
async function asksForNothing(change: Change, own: QueryRunner | undefined): Promise<boolean> {
  if (change.givenUp) return change.trigger === 'auto' && change.keepRecord;
  const rows = change.snapshot
    ? [change]
    : await onCommittedData(change.entity.dataSource, own, (runner) => rowsOf([change], runner));
  const results = await Promise.all(rows.map((row) => quickResult(row, own)));
  return results.some((result) => result !== null);
}

/** What touches came to that were captured with their commits. */
const capturedOf = (writes: readonly EntityWrite[]): Resolved[] =>
  [...new Set(writes.map(({ captured }) => captured))].filter((one) => one !== undefined);

/**
 * A change with what the store keeps of its address: a record that the row may not have heard of (its
 * write-back was rolled back with another transaction), and what was asked for by hand.
 */
function withKept(change: Change, entry: PendingEntry | undefined): Change {
  if (!entry) return change;
  const cid = change.cid ?? entry.cid;
  const isOf = entry.entityName === change.entity.storedName && entry.entityId === change.entityId;
  const trigger = isOf && !entry.backfill ? keptTrigger(entry, change) : null;
  const { operation, keepRecord } = entry;
  return { ...change, cid, ...(trigger && { trigger, operation, keepRecord }) };
}

/**
 * A failure of the record itself stays a failure; every other one is only a matter of time, or of signing in.
 */
function asPending({ result, failure, change }: Outcome, kept: boolean): SyncResult {
  if (!kept || !failure || failure.kind === 'permanent' || failure.kind === 'conflict') return result;
  return new SyncResult('pending', { error: failure.error, uri: atUri(change.address) });
}
