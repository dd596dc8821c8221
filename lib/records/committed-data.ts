import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import { isTransactionOpen } from './open-transaction.js';

/** How long to wait for a stranger's transaction on a shared connection, in ms. */
const PATIENCE = 5_000;

/**
 * Runs `fn` on a connection to the primary that is in nobody's transaction: what it reads is committed, and what it writes stays.
 * On SQLite everybody shares one connection, so this waits until no transaction is open there; after five seconds it goes on
 * all the same, because the transaction may be the caller's own (what is written then is written again by the next sync).
 *
 * @param own the caller's connection, after its commit: with a pool of one there is no second
 */
export async function onCommittedData<T>(
  dataSource: DataSource,
  own: QueryRunner | undefined,
  fn: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  const runner = own && !own.isReleased ? own : dataSource.createQueryRunner('master');
  try {
    const end = Date.now() + PATIENCE;
    // A BEGIN that TypeORM has announced comes before the next timer, so an open one is missed twice only if there is none.
    for (let misses = 0; runner.isTransactionActive && misses < 2 && Date.now() < end; await sleep(2))
      misses = isTransactionOpen(runner) === false ? misses + 1 : 0;
    return await fn(runner);
  } finally {
    if (runner !== own) await runner.release();
  }
}
