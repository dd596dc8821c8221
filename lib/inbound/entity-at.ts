import type { DataSource } from 'typeorm';
import { onCommittedData } from '../database/committed-data.js';
import { holdersOf } from '../entities/record-row.js';
import type { SyncedEntities } from '../entities/synced-entities.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri, type Address } from '../model/address.js';

/** The entity whose record is at an address, with its relations; null if there is none. */
export async function entityAt(
  entities: SyncedEntities,
  dataSource: DataSource,
  address: Address,
): Promise<object | null> {
  const entity = entities.all().find(({ mapper }) => mapper?.collection === address.collection);
  if (!entity) return null;
  const holders = await onCommittedData(dataSource, undefined, (runner) =>
    holdersOf(entity, runner, [address]),
  );
  const row = holders.get(atUri(address))?.row;
  return row && recordStateOf(row).uri === atUri(address) ? row : null;
}
