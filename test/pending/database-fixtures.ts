import type { DataSource } from 'typeorm';
import type { LaneStore } from '../../lib/pending/lane.store.js';
import type { Lease, PendingEntry } from '../../lib/pending/pending-entry.js';
import { DatabasePendingSyncStore } from '../../lib/pending/database/database-pending-sync.store.js';
import { parityEntities } from '../../lib/pending/database/parity-entities.js';
import {
  freshDataSource,
  type DatabaseKind,
  type ExtraOptions,
  type FreshDatabase,
} from '../support/databases.js';
import { ALICE, uriOf } from './contract/pending-sync-store/fixtures.js';

export { aChange, BOB } from './contract/pending-sync-store/fixtures.js';
export { ALICE, uriOf };

const TABLES = ['parity_ledger', 'parity_lane', 'parity_repository', 'parity_source', 'parity_inbound'];

/** The lease of a lane alone; null: another worker has it. */
export const leaseOf = async (store: LaneStore, did: string, milliseconds: number): Promise<Lease | null> =>
  (await store.enter(did, [], { milliseconds, anyway: true })).lease;

/** One database with the tables of pending syncs, and stores on it. */
export class Ledger {
  private constructor(
    readonly database: FreshDatabase,
    readonly dataSource: DataSource,
    readonly store: DatabasePendingSyncStore,
  ) {}

  static async open(
    kind: DatabaseKind,
    extra: ExtraOptions = {},
    entities: NonNullable<DataSource['options']['entities']> = [],
  ): Promise<Ledger> {
    const database = await freshDataSource(kind, [...parityEntities, ...Object.values(entities)], extra);
    const dataSource = await database.open();
    return new Ledger(database, dataSource, new DatabasePendingSyncStore({ dataSource, ttl: null }));
  }

  /** A store on a pool of its own, as another process has it; SQLite's is the same connection. */
  async peer(more: ExtraOptions = {}): Promise<DatabasePendingSyncStore> {
    if (this.dataSource.options.type === 'better-sqlite3') return this.store;
    const dataSource = await this.database.open({ synchronize: false, ...more });
    return new DatabasePendingSyncStore({ dataSource, ttl: null });
  }

  async entry(rkey: string, did = ALICE): Promise<PendingEntry> {
    const [entry] = await this.store.at(did, [uriOf(rkey, did)]);
    if (!entry) throw new Error(`nothing is pending at ${uriOf(rkey, did)}`);
    return entry;
  }

  async due(did = ALICE): Promise<string[]> {
    const entries = await this.store.due(did, { limit: 1_000, backlog: false });
    return entries.map(({ sync }) => sync.rkey);
  }

  async clear(): Promise<void> {
    for (const table of TABLES) await this.dataSource.query(`DELETE FROM ${table}`);
  }
}
