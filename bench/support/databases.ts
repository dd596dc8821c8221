import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { entities } from './setting.js';

export const POSTGRES = process.env['PARITY_TEST_POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test';

/** Runs `fn` on an empty SQLite file, then on an empty PostgreSQL schema, if there is a server. */
export async function onEachDatabase(
  fn: (kind: string, options: DataSourceOptions) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'parity-bench-'));
  try {
    const database = join(directory, 'bench.sqlite');
    await fn('SQLite', { type: 'better-sqlite3', database, enableWAL: true, entities, synchronize: true });
  } finally {
    await rm(directory, { recursive: true });
  }
  const client = new pg.Client(POSTGRES);
  try {
    await client.connect();
  } catch {
    console.log(`PostgreSQL is left out: there is no server at ${POSTGRES}`);
    return;
  }
  const schema = `bench_${process.pid}`;
  await client.query(`CREATE SCHEMA ${schema}`);
  try {
    await fn('PostgreSQL', { type: 'postgres', url: POSTGRES, schema, entities, synchronize: true });
  } finally {
    await client.query(`DROP SCHEMA ${schema} CASCADE`);
    await client.end();
  }
}
