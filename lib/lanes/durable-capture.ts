import type { QueryRunner } from 'typeorm';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import type { SyncResult } from '../model/sync-result.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { atOnce } from '../sync/at-once.js';
import type { Change, Resolved } from '../sync/change.js';
import { mergedByAddress } from '../sync/merged-changes.js';
import { foreseenResult, needsRow, rowsOf } from '../sync/quick-result.js';
import { toPending } from '../pending/change-entries.js';
import type { OfferedChange } from '../pending/pending-entry.js';
import type { PendingSyncStore } from '../pending/pending-sync.store.js';

const offered = (change: Change, unlessSettled: boolean): OfferedChange =>
  unlessSettled ? { ...toPending(change), unlessSettled } : toPending(change);

/**
 * Whether the ledger can tell that nothing was there before either. Where a record is kept that the entity no longer asks for, it cannot:
 * the row may still be of before somebody's change, or its address of a record that was removed with it.
 */
const mayBeSettled = ({ cid, snapshot }: Change, { status }: SyncResult): boolean =>
  status === 'unchanged' || (cid === null && snapshot !== undefined && recordStateOf(snapshot).uri === null);

const NONE: ReadonlyMap<string, SyncResult> = new Map();

/** DurableCapture what was resolved in a durable store. What asks for nothing costs no more than that, if the store knows of nothing else: its record is as it should be, or it is to have none. */
export class DurableCapture {
  /** Classes whose own code waits for something: it is not asked again inside a transaction. */
  private readonly waiting = new WeakSet<SyncedEntity>();

  constructor(private readonly store: PendingSyncStore) {}

  /** @returns the same, with what was left alone marked as settled */
  async capture(resolved: Resolved, runner: QueryRunner): Promise<Resolved> {
    const changed = mergedByAddress(resolved.changes);
    if (changed.length === 0) return resolved;
    const asked = changed.filter(
      ({ operation, entity, snapshot }) =>
        snapshot && (operation === 'republish' || entity.choosesWhen(snapshot)) && !this.waiting.has(entity),
    );
    const foreseen = asked.length > 0 ? await this.foreseen(asked, runner) : NONE;
    const left = await this.store.capture(
      changed.map((change) => offered(change, foreseen.has(atUri(change.address)))),
      runner,
    );
    if (left.size === 0) return resolved;
    const changes = resolved.changes.map((change) => {
      const uri = atUri(change.address);
      return left.has(uri) ? { ...change, settled: foreseen.get(uri) } : change;
    });
    return { ...resolved, changes };
  }

  /** By at-uri, of the changes that ask for nothing, as far as their rows know. */
  private async foreseen(
    asked: readonly Change[],
    runner: QueryRunner,
  ): Promise<ReadonlyMap<string, SyncResult>> {
    const results = await this.ask(asked);
    const inHand = [...results].filter((one) => needsRow(...one)).map(([change]) => change);
    for (const change of inHand) results.delete(change);
    if (inHand.length > 0)
      for (const one of await this.ask(await rowsOf(inHand, runner))) results.set(...one);
    return new Map([...results].map(([{ address }, result]) => [atUri(address), result]));
  }

  /**
   * A mapper that throws throws again when the change is tried; if that was an error of SQL on this connection, the capture meets what it
   * did to the transaction.
   */
  private async ask(changes: readonly Change[]): Promise<Map<Change, SyncResult>> {
    const told = new Map<Change, SyncResult>();
    const results = await atOnce(changes.map(foreseenResult));
    changes.forEach((change, index) => {
      const result = results[index];
      if (result === undefined) this.waiting.add(change.entity);
      else if (result && mayBeSettled(change, result)) told.set(change, result);
    });
    return told;
  }
}
