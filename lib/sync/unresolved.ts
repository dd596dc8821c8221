import { createHash } from 'node:crypto';
import { atUri, type Address } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import { committedRows } from '../database/row-access.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { entityWriteOf, type Change, type Unresolved } from './change.js';
import { resolveWrites } from './change-resolver.js';
import { failedOutcome, type Outcome } from './outcome.js';
import type { SyncRun } from './sync-run.js';

/** Stands in for the account of an entity whose own code failed to tell it. It is never sent to a PDS. */
export const UNRESOLVED_DID = 'did:parity:unresolved';

/** The address under which an entity is kept while its own address cannot be determined. */
export function unresolvedAddress(entity: SyncedEntity, entityId: string): Address {
  const rkey = createHash('sha256').update(`${entity.storedName} ${entityId}`).digest('hex').slice(0, 32);
  const collection = entity.mapper?.collection ?? 'parity.unresolved.entity';
  return { did: UNRESOLVED_DID, collection, rkey };
}

/**
 * The change that is kept for an entity whose address could not be determined. An attempt on it asks for the
 * address again.
 */
export function unresolvedChange({ write }: Unresolved): Change {
  const { entity, entityId, instance, origin } = write;
  return {
    entity,
    entityId,
    address: unresolvedAddress(entity, entityId),
    trigger: 'auto',
    operation: 'publish',
    cid: null,
    keepRecord: false,
    givenUp: false,
    mayDelete: true,
    instance,
    snapshot: undefined,
    origin,
  };
}

/**
 * Determines the addresses of entities again. The changes they ask for are in the outcomes, to be captured.
 * Never throws.
 */
export function resolveAgain(changes: readonly Change[], run: SyncRun): Promise<Outcome[]> {
  return Promise.all(changes.map((change) => resolved(change, run)));
}

async function resolved(change: Change, run: SyncRun): Promise<Outcome> {
  const { entity, entityId, instance, origin } = change;
  const write = entityWriteOf(entity, entityId, { instance, origin });
  try {
    const rows = committedRows(entity.dataSource, run.runner);
    const { changes, unresolved } = await resolveWrites([write], rows);
    if (unresolved[0]) return failedOutcome(change, unresolved[0].error, instance);
    const [first] = changes;
    const result = first
      ? new SyncResult('pending', { reason: 'its account is known by now', uri: atUri(first.address) })
      : new SyncResult('skipped', { reason: 'it has no row, or no DID' });
    return { change, result, entity: instance, isLeft: !first, elsewhere: changes };
  } catch (error) {
    return failedOutcome(change, error, instance);
  }
}
