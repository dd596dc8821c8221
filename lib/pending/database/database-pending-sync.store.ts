import type { DataSource, QueryRunner } from 'typeorm';
import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { parseAtUri } from '../../model/address.js';
import type { PendingSync } from '../../model/pending-sync.js';
import type { SqlScript, Statement } from '../../database/sql-script.js';
import type {
  Discarded,
  EnteredLane,
  FailedAttempt,
  Lane,
  LaneAfter,
  Lease,
  OfferedChange,
  Park,
  PendingEntry,
  SettledEntry,
  Settlement,
} from '../pending-entry.js';
import type { PendingView, PendingStats, WrittenAddress } from '../pending-views.js';
import type { EnterOptions } from '../lane.store.js';
import type { PendingSyncStore } from '../pending-sync.store.js';
import { dataSourceOf } from '../../database/data-source-of.js';
import { DeadLetters } from './dead-letters.js';
import { LedgerAccess } from './ledger.access.js';
import { LedgerLanes } from './ledger.lanes.js';
import { LedgerRemovals } from './ledger.removals.js';
import { LedgerView } from './ledger.view.js';
import { captureRows, addressesOf, uriOf, type LedgerRow } from './ledger-row.js';
import { readable } from '../readable.js';
import { LeftClasses } from './left-classes.js';
import { keyed, settledRows, settleRow, settlement } from './ledger.settlement.js';
import { FAIL, RENEW, SETTLE } from './ledger.updates.js';
import { ledgerDialectOf } from './ledger-tables.js';

export interface DatabasePendingSyncStoreOptions {
  readonly dataSource: DataSource;
  /** Seconds until a pending sync is given up; null for never. */
  readonly ttl: number | null;
  /** See `PendingSyncOptions`. */
  readonly preparedStatements?: boolean;
  /** The name under which operators know the class that is stored under a name. Default: the stored name. */
  readonly nameOf?: (storedName: string) => string;
}

/** Keeps pending syncs in the tables of `parityEntities`, in the application's own database. */
export class DatabasePendingSyncStore implements PendingSyncStore {
  readonly durable = true;
  readonly outlivesProcess = true;
  private readonly access: LedgerAccess;
  private readonly lanes: LedgerLanes;
  private readonly removals: LedgerRemovals;

  /** @throws ParityOptionsError for a database that is not supported */
  constructor(
    private readonly options: DatabasePendingSyncStoreOptions,
    own?: () => QueryRunner | undefined,
    private readonly left = new LeftClasses(),
  ) {
    ledgerDialectOf(options.dataSource);
    const { dataSource, ttl, preparedStatements, nameOf } = options;
    this.access = new LedgerAccess(dataSource, own, preparedStatements, nameOf);
    this.lanes = new LedgerLanes(this.access, this.left);
    this.removals = new LedgerRemovals(this.access, this.left, ttl);
  }

  on(own: () => QueryRunner | undefined): DatabasePendingSyncStore {
    return new DatabasePendingSyncStore(this.options, own, this.left);
  }

  async capture(changes: readonly OfferedChange[], runner?: QueryRunner): Promise<ReadonlySet<string>> {
    if (changes.length === 0) return new Set();
    const { dataSource } = this.options;
    if (runner && dataSourceOf(runner) !== dataSource) {
      throw new ParityOptionsError(
        'A transaction of one DataSource cannot hold what is kept in another: keep pending syncs in the DataSource of the entities.',
      );
    }
    const { dialect, connection } = this.access;
    const left = await dialect.capture(connection, captureRows(changes), runner);
    return new Set(left.map(uriOf));
  }

  async due(did: string, options: { limit: number; backlog: boolean }): Promise<PendingEntry[]> {
    const { limit, backlog } = options;
    const left = this.left.parameters;
    return this.access.entries(this.access.sql.ledger.due(backlog, left.length > 0), [did, limit, ...left]);
  }

  leave(entityName: string): boolean {
    return this.left.leave(entityName);
  }

  async at(did: string, uris: readonly string[]): Promise<PendingEntry[]> {
    return this.access.at(addressesOf(did, uris));
  }

  async settle(lease: Lease, done: readonly SettledEntry[]): Promise<boolean> {
    return (await this.access.update(SETTLE, settledRows(done), lease)).held;
  }

  settleWith<T>(lease: Lease, work: SqlScript<T>, settlementOf: (result: T) => Settlement): Promise<T> {
    return this.access.connection.transaction(settlement(this.access, lease, work, settlementOf));
  }

  settleRow(lease: Lease, row: Statement, values: Settlement): Promise<boolean> {
    return settleRow(this.access, lease, row, values);
  }

  async failed(lease: Lease, attempts: readonly FailedAttempt[]): Promise<boolean> {
    const rows = attempts.flatMap(({ uri, version, error, countsAttempt, needsSession }) =>
      keyed(uri, version, {
        error: readable(error),
        spent: countsAttempt ? 1 : 0,
        session: needsSession ? 1 : 0,
      }),
    );
    return (await this.access.update(FAIL, rows, lease)).held;
  }

  discard(
    lease: Lease,
    given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
  ): Promise<Discarded[]> {
    return this.removals.discard(given, lease);
  }

  enter(did: string, uris: readonly string[], options: EnterOptions): Promise<EnteredLane> {
    return this.lanes.enter(did, uris, options);
  }

  extend(lease: Lease, milliseconds: number): Promise<Lease | null> {
    return this.lanes.extend(lease, milliseconds);
  }

  release(lease: Lease, after: LaneAfter): Promise<void> {
    return this.lanes.release(lease, after);
  }

  lane(did: string): Promise<Lane> {
    return this.lanes.lane(did);
  }

  park(did: string, park: Park): Promise<void> {
    return this.lanes.park(did, park);
  }

  unpark(did: string, { retry }: { retry: boolean }): Promise<void> {
    return this.lanes.unpark(did, retry);
  }

  voidPark(did: string): Promise<void> {
    return this.lanes.voidPark(did);
  }

  async renew(_did: string, uris: readonly string[]): Promise<void> {
    await this.access.update(
      RENEW,
      uris.flatMap((uri) => keyed(uri, 0, {})),
    );
  }

  wake(did: string, { backfill = false } = {}): Promise<void> {
    return this.lanes.wake(did, backfill);
  }

  readyLanes(limit: number): Promise<string[]> {
    return this.lanes.ready(limit);
  }

  async forDid(did: string): Promise<PendingSync[]> {
    const rows = await this.access.rows<LedgerRow>(this.access.sql.ledger.forDid, [did]);
    return rows.map((row) => this.access.toSync(row));
  }

  async countForDid(did: string): Promise<number> {
    const [row] = await this.access.rows<{ count: number | string }>(this.access.sql.ledger.count, [did]);
    return Number(row?.count ?? 0);
  }

  async hasForDid(did: string): Promise<boolean> {
    return (await this.access.rows(this.access.sql.ledger.has, [did])).length > 0;
  }

  async find(id: string): Promise<PendingSync | null> {
    const address = parseAtUri(id);
    if (!address) return null;
    const { did, collection, rkey } = address;
    const [row] = await this.access.rows<LedgerRow>(this.access.sql.ledger.find, [did, collection, rkey]);
    return row ? this.access.toSync(row) : null;
  }

  remove(id: string): Promise<boolean> {
    return this.removals.remove(id);
  }

  removeForDid(did: string): Promise<number> {
    return this.removals.removeForDid(did);
  }

  cleanup(): Promise<Discarded[]> {
    return this.removals.cleanup();
  }

  /** @param grace milliseconds after a capture during which its own process may still wake the lane */
  sweep(grace = 10_000): Promise<number> {
    return this.lanes.sweep(grace);
  }

  get deadLetters(): DeadLetters {
    return new DeadLetters(this.access);
  }

  inspect(uri: string): Promise<PendingView | null> {
    return new LedgerView(this.access).inspect(uri);
  }

  stats(): Promise<PendingStats> {
    return new LedgerView(this.access).stats();
  }

  written(
    entityName: string,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<WrittenAddress[]> {
    return new LedgerView(this.access).written(entityName, page);
  }
}
