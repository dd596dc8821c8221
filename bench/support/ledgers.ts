import { parityEntities } from 'nestjs-parity';
import { Client } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { POSTGRES } from './databases.js';
import { application, entities, NoSessions } from './setting.js';

export interface LedgerSize {
  readonly accounts: number;
  /** Addresses in the ledger for each of them. */
  readonly addresses: number;
}

export const didOf = (account: number): string => `did:plc:${String(account).padStart(24, 'x')}`;

/** An application in background mode on a PostgreSQL schema of its own, with a ledger of this size. Its accounts have to sign in again. */
export async function ledgerApplication(schema: string, size: LedgerSize) {
  const client = new Client(POSTGRES);
  await client.connect();
  await client.query(`CREATE SCHEMA ${schema}`);
  const options = {
    type: 'postgres',
    url: POSTGRES,
    schema,
    entities: [...entities, ...parityEntities],
    synchronize: true,
    // Waiting for the disk would make everything look alike.
    extra: { options: '-c synchronous_commit=off' },
  } as DataSourceOptions;
  const drop = async (): Promise<void> => {
    await client.query(`DROP SCHEMA ${schema} CASCADE`);
    await client.end();
  };
  try {
    const { app } = await application(options, {
      sessions: new NoSessions(),
      sync: { mode: 'background' },
      pendingSyncs: { enabled: true, storage: 'database' },
    });
    await fill(client, schema, size);
    const tidy = async (): Promise<void> => {
      for (const table of ['parity_ledger', 'parity_lane'])
        await client.query(`VACUUM (ANALYZE) ${schema}.${table}`);
      await client.query('CHECKPOINT');
    };
    const rows = async (): Promise<number> => {
      const { rows: counted } = await client.query(`SELECT count(*)::int FROM ${schema}.parity_ledger`);
      return counted[0].count;
    };
    return { app, tidy, rows, close: () => app.close().then(drop) };
  } catch (error) {
    await drop();
    throw error;
  }
}

/** Every second account has up to two addresses that are pending. The record keys come as they are made: by time, from all accounts. */
async function fill(client: Client, schema: string, { accounts, addresses }: LedgerSize): Promise<void> {
  const [ledger, lane] = [`${schema}.parity_ledger`, `${schema}.parity_lane`];
  await client.query('CREATE TEMPORARY TABLE IF NOT EXISTS account (number int PRIMARY KEY, did text)');
  await client.query('TRUNCATE account');
  await client.query('INSERT INTO account SELECT * FROM unnest($1::int[], $2::text[])', [
    Array.from({ length: accounts }, (_, number) => number),
    Array.from({ length: accounts }, (_, number) => didOf(number)),
  ]);
  await client.query(`
    INSERT INTO ${ledger} (rkey, did, collection, entity_name, entity_id, operation, triggered_by, cid, keep_record, given_up, orphaned, may_delete, backfill,
      version, pending_since, changed_at, created_at, attempts)
    SELECT '3k' || lpad(to_hex(n), 11, '0'), a.did, 'com.example.note', 'bench_note', n::text, 'republish', 'auto',
      'bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454', false, false, false, false, false, 1,
      CASE WHEN n < ${2 * accounts} AND a.number % 2 = 0 THEN n END, n, n, 0
    FROM generate_series(0, ${accounts * addresses - 1}) AS n JOIN account a ON a.number = n % ${accounts} ORDER BY 1`);
  await client.query(`
    INSERT INTO ${lane} (did, token, leased, wakes, failures, park_reason)
    SELECT did, 1, false, 0, 0, 'the session has ended' FROM account ORDER BY number`);
}
