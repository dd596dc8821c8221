import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import { onCommittedData } from '../database/committed-data.js';
import { holdersOf, type Holder } from '../entities/record-row.js';
import type { Change } from './change.js';
import type { SyncRun } from './sync-run.js';

/** A change with the row that may claim its address; undefined once there is none. */
export interface Claimant {
  readonly change: Change;
  readonly row: object | undefined;
}

/**
 * Which rows may claim the addresses of a run: those that its changes name, or others that hold them by now.
 */
export class Claimants {
  /** The changes that the run was given, by those that name another row. */
  private readonly given = new Map<Change, Change>();

  constructor(private readonly run: SyncRun) {}

  /** The change that the run was given. */
  givenOf(change: Change): Change {
    return this.given.get(change) ?? change;
  }

  /**
   * One query per entity class, on committed data; more only where the row that a change names does not hold
   * its address.
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
   * Whether another row may hold the address of a change whose own row does not. A row that was seen to go
   * took its address along, unless the record key is not its own.
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
 * Whether the row that a change names is the one that holds its address, without asking for its account: a
 * migration may have given its primary key to another row. A fixed record key tells no rows apart; where no
 * record is known there is none to keep.
 */
function holdsAddress({ address, entity, cid }: Change, row: object | undefined): boolean {
  if (!row) return false;
  const { uri, rkey } = recordStateOf(row);
  if (uri === atUri(address)) return true;
  return entity.hasFixedRkey ? uri === null && cid === null : rkey === address.rkey;
}
