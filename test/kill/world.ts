import { parityEntities } from 'nestjs-parity';
import type { Account } from 'nestjs-parity/testing';
import type { DataSource } from 'typeorm';
import type { FaultyNetwork } from '../support/faulty-network.js';
import { notebook, Owner } from '../support/entities/notebook.js';
import { freshDataSource, type DatabaseKind } from '../support/databases.js';

/** What processes find: two owners, their accounts and a quiet one, a database with all tables. */
export interface World extends AsyncDisposable {
  readonly servers: FaultyNetwork;
  /** For the processes. */
  readonly database: object;
  /** For the test. */
  readonly dataSource: DataSource;
  /** The last one is the quiet one. */
  readonly accounts: readonly Account[];
}

export async function aWorld(servers: FaultyNetwork, kind: DatabaseKind): Promise<World> {
  const accounts = [await servers.account(), await servers.account(), await servers.account()];
  const database = await freshDataSource(kind, [...notebook.entities, ...parityEntities]);
  const dataSource = await database.open();
  const owners = accounts.slice(0, 2).map(({ did }, id) => Object.assign(new Owner(), { id, did }));
  await dataSource.manager.save(owners);
  const { entities: _entities, ...options } = database.options;
  return {
    servers,
    database: options,
    dataSource,
    accounts,
    [Symbol.asyncDispose]: () => database.cleanup(),
  };
}

/** After two minutes a lease of a dead process has ended. */
export const LEASE_MINUTES = 2;
/** After a quarter of an hour no lane backs off any more, however often the PDS failed. */
export const BACKOFF_MINUTES = 15;

/** Makes all times in the database earlier: the tests have no time to wait. */
export async function minutesLater({ dataSource }: World, minutes: number): Promise<void> {
  const earlier = (names: readonly string[]): string =>
    names.map((name) => `${name} = ${name} - ${minutes * 60_000_000}`).join(', ');
  await dataSource.query(
    `UPDATE parity_lane SET ${earlier(['ready_at', 'owed', 'retry_at', 'unparked_at', 'backlog_before', 'session_backlog_before'])}`,
  );
  await dataSource.query(
    `UPDATE parity_ledger SET ${earlier(['pending_since', 'changed_at', 'created_at', 'tried_at'])}`,
  );
}
