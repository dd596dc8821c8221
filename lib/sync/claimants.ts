import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import { onCommittedData } from '../database/committed-data.js';
import { holdersOf, type Holder } from '../entities/record-row.js';
import type { Change } from './change.js';
import type { SyncRun } from './sync-run.js';

/** A change with the row that may claim its address; undefined where there is no such row. */
export interface Claimant {
  readonly change: Change;
  readonly row: object | undefined;
}

/**
 * Finds the rows that may claim the addresses of a run: the rows that its changes name, or others that hold
 * the addresses by now.
 */
export class Claimants {
  /** By each change that names another row now, the change that the run was given. */
  private readonly given = new Map<Change, Change>();

  constructor(private readonly run: SyncRun) {}

  /** The change that the run was given. */
  givenOf(change: Change): Change {
    return this.given.get(change) ?? change;
  }

  /**
   * Makes one query per entity class, on committed data, and more only where the row that a change names does
   * not hold the address.
   */
  async of(changes: readonly Change[]): Promise<Claimant[]> {
    const claimants: Claimant[] = [];
    for (const [entity, group] of Map.groupBy(changes, (change) => change.entity)) {
      const ids = [...new Set(group.map(({ entityId }) => entityId))];
      const { rows, holders } = await onCommittedData(
        entity.dataSource,
        this.run.runner?.(),
        async (runner) => {
          const found = await entity.load(ids, runner.manager);
          const left = group.filter(
            (change) => !holdsAddress(change, found.get(change.entityId)) && this.mayBeHeld(change),
          );
          const addresses = left.map(({ address }) => address);
          return { rows: found, holders: await holdersOf(entity, runner, addresses) };
        },
      );
      for (const change of group) {
        const holder = holders.get(atUri(change.address));
        claimants.push(
          holder
            ? { change: this.claimedBy(change, holder), row: holder.row }
            : { change, row: rows.get(change.entityId) },
        );
      }
    }
    return claimants;
  }

  /**
   * Whether another row may hold the address of a change whose own row does not. A row whose removal was seen
   * took its address with it, unless the record key is fixed and another row may have the same.
   */
  private mayBeHeld({ givenUp, entity }: Change): boolean {
    if (!entity.mapper) return false;
    return !givenUp || entity.hasFixedRkey || this.run.backfill === true;
  }

  private claimedBy(change: Change, { entity, entityId }: Holder): Change {
    const claimed = { ...change, entity, entityId };
    this.given.set(claimed, this.givenOf(change));
    return claimed;
  }
}

/**
 * Whether the row that a change names holds its address. A migration may have given the primary key to
 * another row. The row's account is not asked for. A fixed record key does not distinguish rows; where no
 * record is known, there is none that another row could hold.
 */
function holdsAddress({ address, entity, cid }: Change, row: object | undefined): boolean {
  if (!row) return false;
  const { uri, rkey } = recordStateOf(row);
  if (uri === atUri(address)) return true;
  return entity.hasFixedRkey ? uri === null && cid === null : rkey === address.rkey;
}
