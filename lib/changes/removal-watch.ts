import type { QueryRunner } from 'typeorm';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri, parseAtUri } from '../model/address.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import type { Removal } from '../sync/change.js';
import type { TransactionLog } from './transaction-log.js';

/**
 * Asks entities for their address, and whether the record may go, while their rows still exist. After the
 * delete neither can be found out.
 */
export class RemovalWatch {
  /** To be called before the delete. */
  async ask(
    entity: SyncedEntity,
    ids: readonly string[],
    runner: QueryRunner,
    log: TransactionLog,
  ): Promise<void> {
    for (const id of ids) log.removals.delete(key(entity, id));
    const rows = [...(await entity.load(ids, runner.manager))];
    // In parallel, because an answer of the application's code may take long.
    const removals = await Promise.all(rows.map(([, row]) => removalOf(entity, row)));
    removals.forEach((removal, index) => log.removals.set(key(entity, rows[index]![0]), removal));
  }

  /** To be called after the delete. Undefined if there was no row. */
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
    // A soft-deleted row was asked when it was soft-deleted. Here the answer concerns what is left of its
    // record.
    return { address, next, cid, keepRecord: !(await entity.shouldAutoUnsync(row, { soft: false })) };
  } catch {
    // The application's code failed. The row is deleted all the same, and a record that stays for ever would
    // be the greater harm.
    return { address: published, cid, keepRecord: false };
  }
}
