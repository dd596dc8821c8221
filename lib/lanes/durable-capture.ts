import type { DataSource, QueryRunner } from 'typeorm';
import { onCommittedData } from '../database/committed-data.js';
import { rowsOfTransaction } from '../database/row-access.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import type { SyncResult } from '../model/sync-result.js';
import { toPending, unresolvedToPending } from '../pending/change-entries.js';
import type { LaneStore } from '../pending/lane.store.js';
import type { PendingChangeStore } from '../pending/pending-change.store.js';
import type { OfferedChange } from '../pending/pending-entry.js';
import { answeredAtOnce } from '../runtime/answers.js';
import type { Capture } from '../sync/capture.js';
import type { Change, EntityWrite, Resolved } from '../sync/change.js';
import { resolveCommitted, resolveWrites } from '../sync/change-resolver.js';
import type { CommittedBatch } from '../sync/committed-batch.js';
import { mergedByAddress } from '../sync/merged-changes.js';
import type { SettledVersions } from '../sync/settled-versions.js';
import type { SyncRun } from '../sync/sync-run.js';
import { needsRow, resultOfSnapshot, rowsOf } from '../sync/unchanged.js';
import { UNRESOLVED_DID } from '../sync/unresolved.js';

export interface DurableCaptureOptions {
  readonly store: Pick<PendingChangeStore, 'capture'> & Pick<LaneStore, 'wake'>;
  readonly versions: SettledVersions;
}

/** Captures changes in the transactions that make them, so that a committed change is never lost. */
export class DurableCapture implements Capture {
  /** Classes whose own code returns promises. It is not asked in a transaction again. */
  private readonly waiting = new WeakSet<SyncedEntity>();

  constructor(private readonly options: DurableCaptureOptions) {}

  async inTransaction(writes: readonly EntityWrite[], runner: QueryRunner): Promise<Resolved> {
    const { versions } = this.options;
    const resolved = await resolveWrites(writes, rowsOfTransaction(runner), versions);
    const captured = await this.capture(resolved, runner);
    await this.captureUnresolved(resolved, runner);
    return captured;
  }

  /** Captures now what joined the transaction after its capture, or could not be resolved in it. */
  async committed({ writes, captured: early }: CommittedBatch, run: SyncRun): Promise<Resolved> {
    const { store, versions } = this.options;
    const again = early.flatMap(({ unresolved }) => unresolved.map(({ write }) => write));
    const rest = [...again, ...writes];
    const [only] = early;
    if (only && early.length === 1 && rest.length === 0) return only;
    const late = await resolveCommitted(rest, run, versions);
    const captured = await this.captureLate(late, run);
    // The unresolved entries of these entities still have to be settled. If this wake-up fails, the sweep
    // finds them.
    if (again.length > 0 && late.unresolved.length === 0)
      await store.wake(UNRESOLVED_DID).catch(() => undefined);
    const all = [...early, captured];
    return {
      changes: all.flatMap(({ changes }) => changes),
      unresolved: captured.unresolved,
      unowned: all.flatMap(({ unowned }) => unowned),
    };
  }

  /**
   * They were captured like changes, so only their lane has to be woken. If that fails, the sweep wakes it.
   */
  async keepUnresolved(): Promise<boolean> {
    await this.options.store.wake(UNRESOLVED_DID).catch(() => undefined);
    return true;
  }

  async byHand(changes: readonly Change[]): Promise<void> {
    await this.options.store.capture(changes.map(toPending));
  }

  private async captureLate(late: Resolved, run: SyncRun): Promise<Resolved> {
    const dataSource = dataSourceOf(late);
    await this.captureUnresolved(late);
    if (!dataSource) return late;
    return onCommittedData(dataSource, run.runner?.(), (runner) => this.capture(late, runner));
  }

  private async captureUnresolved({ unresolved }: Resolved, runner?: QueryRunner): Promise<void> {
    if (unresolved.length > 0) await this.options.store.capture(unresolved.map(unresolvedToPending), runner);
  }

  /**
   * Captures changes. A change that needs nothing done, because its record is as it should be or there should
   * be none, is left alone if the store agrees, and no later work looks at it.
   *
   * @returns the same, with the changes that the store left alone marked as settled
   */
  private async capture(resolved: Resolved, runner: QueryRunner): Promise<Resolved> {
    const changed = mergedByAddress(resolved.changes);
    if (changed.length === 0) return resolved;
    const asked = changed.filter(
      ({ operation, entity, snapshot }) =>
        snapshot && (operation === 'republish' || entity.choosesWhen(snapshot)) && !this.waiting.has(entity),
    );
    const unchanged = asked.length > 0 ? await this.unchanged(asked, runner) : NONE;
    const left = await this.options.store.capture(
      changed.map((change) => offered(change, unchanged.has(atUri(change.address)))),
      runner,
    );
    if (left.size === 0) return resolved;
    const changes = resolved.changes.map((change) => {
      const uri = atUri(change.address);
      return left.has(uri) ? { ...change, settled: unchanged.get(uri) } : change;
    });
    return { ...resolved, changes };
  }

  /** By at-uri, the results of the changes that need nothing done, as far as their rows know. */
  private async unchanged(
    asked: readonly Change[],
    runner: QueryRunner,
  ): Promise<ReadonlyMap<string, SyncResult>> {
    const results = this.ask(asked);
    const inHand = [...results].filter((pair) => needsRow(...pair)).map(([change]) => change);
    for (const change of inHand) results.delete(change);
    if (inHand.length > 0) for (const pair of this.ask(await rowsOf(inHand, runner))) results.set(...pair);
    return new Map([...results].map(([{ address }, result]) => [atUri(address), result]));
  }

  /**
   * Asks the snapshots. A mapper that throws here throws again when the change is attempted. If that was an
   * SQL error on this connection, the transaction is broken and the capture fails.
   */
  private ask(changes: readonly Change[]): Map<Change, SyncResult> {
    const results = new Map<Change, SyncResult>();
    for (const change of changes) {
      const told = answeredAtOnce(resultOfSnapshot(change));
      if (!told) this.waiting.add(change.entity);
      else if (told.value && mayBeSettled(change, told.value)) results.set(change, told.value);
    }
    return results;
  }
}

const NONE: ReadonlyMap<string, SyncResult> = new Map();

const offered = (change: Change, unlessSettled: boolean): OfferedChange =>
  unlessSettled ? { ...toPending(change), unlessSettled } : toPending(change);

/**
 * Whether the ledger can confirm that nothing was at the address before either. Where a record is kept that
 * the entity no longer asks for, it cannot: the row may be from before another caller's change, or the
 * address may be that of a record which was removed with it.
 */
const mayBeSettled = ({ cid, snapshot }: Change, { status }: SyncResult): boolean =>
  status === 'unchanged' || (cid === null && snapshot !== undefined && recordStateOf(snapshot).uri === null);

/** The changes of one ledger share one DataSource. */
const dataSourceOf = ({ changes: [first] }: Resolved): DataSource | undefined => first?.entity.dataSource;
