import { recordStateOf } from '../metadata/record-state.js';
import { parseAtUri } from '../model/address.js';
import type { RowAccess } from '../database/row-access.js';
import { renewed, reserved } from '../entities/row-write.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { writeKey } from './held-row.js';
import { open } from './written-rows.js';

/**
 * Reserves a record key for a row from before its table had record columns. The row needs its key before the
 * first request names it: after a lost answer, the key leads to the record.
 */
export async function reserveKey(
  entity: SyncedEntity,
  id: string,
  instance: object,
  access: RowAccess | undefined,
): Promise<void> {
  const next = parseAtUri(recordStateOf(instance).uri)?.rkey ?? entity.newRkey(instance);
  const { rkey = null } = await writeKey(entity, reserved(id, next), open(access));
  entity.show(instance, { rkey });
}

/**
 * Gives a record that moves a new key, because the old key may have been used and deleted in the new account
 * before. A record that stays after all keeps its own.
 */
export async function renewKey(
  entity: SyncedEntity,
  id: string,
  instance: object,
  owner: string | null,
  access: RowAccess | undefined,
): Promise<void> {
  const { uri, rkey } = recordStateOf(instance);
  const published = parseAtUri(uri);
  const address = published && entity.addressIn(instance, owner);
  if (!address || (address.did !== published.did) === (rkey !== published.rkey)) return;
  const next = rkey === published.rkey ? entity.newRkey(instance) : published.rkey;
  if (next === rkey) return;
  entity.show(instance, await writeKey(entity, renewed(id, { uri, rkey }, next), open(access)));
}
