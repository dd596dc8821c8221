import type { DataSource, QueryRunner } from 'typeorm';
import { SyncFailed } from '../events/sync-failed.event.js';
import type { ParityEvents } from '../events/parity-events.js';
import { atUri, parseAtUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import { committedRows } from '../database/row-access.js';
import { within } from '../runtime/within.js';
import type { Change, Resolved, EntityWrite, Unresolved } from './change.js';
import { resolveWrites } from './change-resolver.js';
import { LaneQueue } from './lane-queue.js';
import type { Outcome } from './outcome.js';
import { mergedByAddress } from './merged-changes.js';
import { quickResult } from './quick-result.js';
import { SyncDispatcher, type Dispatched } from './sync-dispatcher.js';
import type { SyncEngine } from './sync-engine.js';
import type { SyncRun } from './sync-run.js';
import { areKnown, withoutStored } from './written-rows.js';

/** By at-uri. */
export type Results = Map<string, SyncResult>;

export interface InlineDispatcherOptions {
  readonly engine: SyncEngine;
  readonly events: ParityEvents;
  /** How long a caller waits, in ms; the work goes on without it. */
  readonly deadline: number;
  readonly log: { debug(message: string): void; error(message: string): void };
}

/**
 * Does at once what changed, while the caller waits. Nothing is kept of what fails: that takes pending syncs.
 */
export class InlineDispatcher extends SyncDispatcher {
  protected readonly lanes = new LaneQueue();
  protected isStopped = false;

  constructor(protected readonly options: InlineDispatcherOptions) {
    super();
  }

  override get settledCount(): number {
    return this.lanes.endedCount;
  }

  override beforeCommit(_touches: readonly EntityWrite[], _runner: QueryRunner): Promise<void> {
    return Promise.resolve();
  }

  override async afterCommit(writes: readonly EntityWrite[], run: SyncRun = {}): Promise<Dispatched[]> {
    const watch = this.lanes.watch();
    try {
      return await this.dispatchAll(writes, run, watch.ended);
    } finally {
      watch.stop();
    }
  }

  private async dispatchAll(
    writes: readonly EntityWrite[],
    run: SyncRun,
    worked: ReadonlySet<string>,
  ): Promise<Dispatched[]> {
    const dispatched: Dispatched[] = [];
    for (const [dataSource, group] of Map.groupBy(writes, ({ entity }) => entity.dataSource)) {
      const resolved = await this.resolve(dataSource, group, run);
      const isKept = resolved.unresolved.length > 0 && (await this.keepUnresolved(resolved.unresolved));
      for (const { write, error } of resolved.unresolved) {
        this.failed({ ...write, operation: 'publish' }, undefined, error, isKept, write.instance);
        const status = isKept ? 'pending' : 'failed';
        dispatched.push({ result: new SyncResult(status, { error }), origin: write.origin });
      }
      for (const { entity, entityId } of resolved.unowned)
        this.options.log.debug(`${entity.name} ${entityId} has no DID, so there is nothing to sync.`);
      const results = await this.deliver(resolved.changes, run, worked);
      resolved.changes.forEach(({ origin }, index) => {
        const result = results[index];
        if (result) dispatched.push({ result, origin });
      });
    }
    return dispatched;
  }

  override dispatch(changes: readonly Change[]): Promise<SyncResult[]> {
    return this.deliver(changes, {});
  }

  /** @param worked DIDs for which something was settled since the changes were read */
  protected async deliver(
    changes: readonly Change[],
    run: SyncRun,
    worked: ReadonlySet<string> = new Set(),
  ): Promise<SyncResult[]> {
    const results: Results = new Map();
    const open = changes.filter(({ settled }) => !settled);
    if (open.length > 0)
      await this.untilDeadline(this.workAll(mergedByAddress(open), run, worked, results), run);
    return changes.map(
      ({ address, settled }) =>
        results.get(atUri(address)) ??
        settled ??
        new SyncResult('pending', { reason: 'still under way when the deadline was over' }),
    );
  }

  /**
   * Accounts are worked on side by side, but a record that moves is in its new place before it leaves the old
   * one.
   */
  private async workAll(
    changes: readonly Change[],
    run: SyncRun,
    worked: ReadonlySet<string>,
    results: Results,
  ): Promise<void> {
    const lanes = [...Map.groupBy(changes, ({ address }) => address.did)];
    const leaving = lanes.filter(([, lane]) => lane.every(({ givenUp }) => givenUp));
    for (const some of [lanes.filter((lane) => !leaving.includes(lane)), leaving])
      await Promise.all(some.map(([did, lane]) => this.lane(did, lane, run, worked, results)));
  }

  /** The changed addresses of what was committed. Never throws. */
  protected async resolve(
    dataSource: DataSource,
    writes: readonly EntityWrite[],
    run: SyncRun,
  ): Promise<Resolved> {
    try {
      const told = areKnown(writes, this.settledCount)
        ? await resolveWrites(writes, undefined, this.settledCount)
        : null;
      if (told && told.unowned.length + told.unresolved.length === 0) return told;
      const unread = told ? writes.map(withoutStored) : writes;
      return await resolveWrites(unread, committedRows(dataSource, run.runner), this.settledCount);
    } catch (error) {
      const unresolved = writes.map((write) => ({ write, error: error as Error }));
      return { changes: [], unresolved, unowned: [] };
    }
  }

  override stop(): void {
    this.isStopped = true;
  }

  override drain(): Promise<void> {
    return this.lanes.idle();
  }

  /** Keeps entities whose address could not be told for another try. @returns whether there will be one */
  protected keepUnresolved(_unresolved: readonly Unresolved[]): Promise<boolean> {
    return Promise.resolve(false);
  }

  /** Works on the changes of one DID; called by one caller at a time for each. Never throws. */
  protected async work(did: string, changes: readonly Change[], run: SyncRun): Promise<Results> {
    const outcomes = await this.options.engine.run(did, changes, run);
    for (const outcome of outcomes) this.report(outcome, false);
    const elsewhere = outcomes.flatMap((outcome) => outcome.elsewhere ?? []);
    // Not waited for: the account may be another one, whose lane may wait for this one.
    if (elsewhere.length > 0) void this.deliver(elsewhere, {});
    return new Map(outcomes.map(({ change, result }) => [atUri(change.address), result]));
  }

  /** Tells what failed. */
  protected report({ change, result, entity }: Outcome, willRetry: boolean): void {
    if (result.error) this.failed(change, atUri(change.address), result.error, willRetry, entity);
  }

  private async lane(
    did: string,
    changes: readonly Change[],
    run: SyncRun,
    worked: ReadonlySet<string>,
    results: Results,
  ): Promise<void> {
    const rest: Change[] = [];
    for (const change of changes) {
      const quick = this.lanes.isBusy(did) || worked.has(did) ? null : await this.quick(change, run);
      if (quick) results.set(atUri(change.address), quick);
      else rest.push(change);
    }
    if (rest.length === 0) return;
    for (const [uri, result] of await this.lanes.run(did, () => this.work(did, rest, run)))
      results.set(uri, result);
  }

  protected async quick(change: Change, run: SyncRun): Promise<SyncResult | null> {
    const quick = await quickResult(change, run.runner?.());
    // A request without an answer may have made more of the address than its row knows.
    return quick && (await this.options.engine.isInDoubt(change.address)) ? null : quick;
  }

  private async untilDeadline(work: Promise<unknown>, run: SyncRun): Promise<void> {
    await within(run.deadline ?? this.options.deadline, work);
    run.leaveRunner?.();
  }

  private failed(
    { entity, entityId, operation }: Pick<Change, 'entity' | 'entityId' | 'operation'>,
    uri: string | undefined,
    error: Error,
    willRetry: boolean,
    instance: object | undefined,
  ): void {
    this.options.log.error(`${operation} of ${entity.name} ${entityId} failed: ${error.message}`);
    const did = parseAtUri(uri)?.did;
    this.options.events.emit(
      new SyncFailed(did, uri, operation, error, willRetry, entity.name, entityId, instance),
    );
  }
}
