import type { QueryRunner } from 'typeorm';
import { atUri } from '../model/address.js';
import type { SyncResult } from '../model/sync-result.js';
import type { SyncedEntity } from '../records/synced-entity.js';
import { atOnce } from '../sync/at-once.js';
import type { Change, Resolved } from '../sync/change.js';
import { mergedByAddress } from '../sync/merged-changes.js';
import { foreseenResult } from '../sync/quick-result.js';
import { toPending } from './entry-change.js';
import type { OfferedChange } from './pending-entry.js';
import type { PendingSyncStore } from './pending-sync.store.js';

const offered = (change: Change, unlessSettled: boolean): OfferedChange =>
  unlessSettled ? { ...toPending(change), unlessSettled } : toPending(change);

const NONE: ReadonlyMap<Change, SyncResult> = new Map();

/** Captures what was resolved in a durable store. What asks for nothing costs no more than that, if the store knows of nothing else: its record is as it should be, or it is to have none. */
export class Captures {
  /** Classes whose own code waits for something: it is not asked again inside a transaction. */
  private readonly waiting = new WeakSet<SyncedEntity>();

  constructor(private readonly store: PendingSyncStore) {}

  /** @returns the same, with what was left alone marked as settled */
  async capture(resolved: Resolved, runner: QueryRunner): Promise<Resolved> {
    const changed = mergedByAddress(resolved.changes);
    if (changed.length === 0) return resolved;
    const asked = changed.filter(
      ({ operation, entity, whole }) =>
        whole && (operation === 'republish' || entity.choosesWhen(whole)) && !this.waiting.has(entity),
    );
    const foreseen = asked.length > 0 ? await this.foreseen(asked) : NONE;
    const left = await this.store.capture(
      changed.map((change) => offered(change, foreseen.has(change))),
      runner,
    );
    if (left.size === 0) return resolved;
    const settled = new Map([...foreseen].map(([{ address }, result]) => [atUri(address), result]));
    const changes = resolved.changes.map((change) => {
      const uri = atUri(change.address);
      return left.has(uri) ? { ...change, settled: settled.get(uri) } : change;
    });
    return { ...resolved, changes };
  }

  /**
   * The changes that ask for nothing, as far as their rows know. A mapper that throws throws again when the change is
   * tried; if that was an error of SQL on this connection, the capture meets what it did to the transaction.
   */
  private async foreseen(asked: readonly Change[]): Promise<Map<Change, SyncResult>> {
    const foreseen = new Map<Change, SyncResult>();
    const results = await atOnce(asked.map(foreseenResult));
    asked.forEach((change, index) => {
      const result = results[index];
      if (result === undefined) this.waiting.add(change.entity);
      else if (result) foreseen.set(change, result);
    });
    return foreseen;
  }
}
