import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import { RetryLaterError } from '../errors/retry-later.error.js';
import { withConnection } from './connection-share.js';
import { isTransactionOpen } from './open-transaction.js';
import { soon } from '../runtime/backoff.js';

/** How long to wait for another caller's transaction on a shared connection, in ms. */
const PATIENCE = 5_000;

/**
 * Runs `fn` on a connection to the primary that is in no transaction: what `fn` reads is committed, and what
 * it writes stays. On SQLite all callers share one connection, so this waits until no transaction is open
 * there.
 *
 * @param own the caller's connection, after its commit: with a pool of one there is no second
 * @throws RetryLaterError if a transaction is still open on a shared connection after five seconds: it could
 *   roll back what `fn` has read
 */
export function onCommittedData<T>(
  dataSource: DataSource,
  own: QueryRunner | undefined,
  fn: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  return withConnection(dataSource, own, async (runner) => {
    const end = Date.now() + PATIENCE;
    // TypeORM sends an announced BEGIN before the next timer fires. Two looks that find no open transaction
    // therefore prove that there is none.
    for (let misses = 0; runner.isTransactionActive && misses < 2; await sleep(2)) {
      if (Date.now() >= end) throw transactionIsOpen();
      misses = isTransactionOpen(runner) === false ? misses + 1 : 0;
    }
    return fn(runner);
  });
}

/** A transaction has stayed open on a connection that all callers share. */
export const transactionIsOpen = (): RetryLaterError =>
  new RetryLaterError('A transaction has been open for long on the connection that all callers share.', {
    retryAt: soon(),
  });
