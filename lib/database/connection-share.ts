import { bulkhead, type BulkheadPolicy } from 'cockatiel';
import type { DataSource, QueryRunner } from 'typeorm';
import { capabilitiesOf } from './capabilities.js';

const shares = new WeakMap<DataSource, BulkheadPolicy>();

/**
 * Runs `fn` on the caller's connection, or on one of the pool to the primary. The module takes at most half
 * of the pool, so that the application always gets connections.
 */
export function withConnection<T>(
  dataSource: DataSource,
  own: QueryRunner | undefined,
  fn: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  if (own && !own.isReleased) return fn(own);
  const run = async (): Promise<T> => {
    const runner = dataSource.createQueryRunner('master');
    try {
      return await fn(runner);
    } finally {
      await runner.release();
    }
  };
  return capabilitiesOf(dataSource).locksRows ? shareOf(dataSource).execute(run) : run();
}

function shareOf(dataSource: DataSource): BulkheadPolicy {
  let share = shares.get(dataSource);
  if (!share) shares.set(dataSource, (share = bulkhead(halfOf(dataSource), Infinity)));
  return share;
}

/**
 * Half of the pool, whose size the drivers take under several names; `pg` and `mysql2` open 10 connections by
 * default.
 */
export function halfOf({ options }: DataSource): number {
  const { poolSize, extra } = options as { poolSize?: number; extra?: Record<string, unknown> };
  const size = poolSize ?? Number(extra?.['max'] ?? extra?.['connectionLimit'] ?? 10);
  return Math.max(1, Math.floor(size / 2));
}
