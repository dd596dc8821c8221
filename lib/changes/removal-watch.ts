import type { QueryRunner } from 'typeorm';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri, parseAtUri } from '../model/address.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import type { Removal } from '../sync/change.js';
import type { TransactionLog } from './transaction-log.js';

/**
 * Asks entities, while their rows are still there, what cannot be asked afterwards: their address, and
 * whether the record may go.
 */
export class RemovalWatch {
  /** Before the delete. */
  async ask(
    entity: SyncedEntity,
    ids: readonly string[],
    runner: QueryRunner,
    log: TransactionLog,
  ): Promise<void> {
    for (const id of ids) log.removals.delete(key(entity, id));
    const rows = [...(await entity.load(ids, runner.manager))];
    // Side by side: each answer may take as long as it is given.
    const removals = await Promise.all(rows.map(([, row]) => removalOf(entity, row)));
    removals.forEach((removal, index) => log.removals.set(key(entity, rows[index]![0]), removal));
  }

  /** After the delete; undefined if the row was not there. */
  take(entity: SyncedEntity, id: string, log: TransactionLog): Removal | undefined {
    const removal = log.removals.get(key(entity, id));
    log.removals.delete(key(entity, id));
    return removal;
  }
}

const key = (entity: SyncedEntity, id: string): string => `${entity.name} ${id}`;

async function removalOf(entity: SyncedEntity, row: object): Promise<Removal> {
  const { uri, cid } = recordStateOf(row);
  const published = parseAtUri(uri);
  try {
    const claimed = await entity.addressOf(row);
    const next = published && claimed && atUri(claimed) !== atUri(published) ? claimed : null;
    const address = published ?? claimed;
    // A soft-deleted row was asked when it was soft-deleted; what is left of its record goes with the row.
    return { address, next, cid, keepRecord: !(await entity.shouldAutoUnsync(row, { soft: false })) };
  } catch {
    // Its own code failed. The row goes all the same, and a record that stays for ever is the greater harm.
    return { address: published, cid, keepRecord: false };
  }
}
