import type { DataSource, QueryRunner } from 'typeorm';
import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { atUri, parseAtUri } from '../../model/address.js';
import type { PendingSync } from '../../model/pending-sync.js';
import type {
  Discarded,
  FailedTry,
  Lane,
  Lease,
  Park,
  PendingChange,
  PendingEntry,
} from '../pending-entry.js';
import { PendingSyncStore } from '../pending-sync.store.js';
import { LedgerAccess } from './ledger.access.js';
import { captureRows, toDate, toEntry, toSync, type LedgerRow } from './ledger-row.js';
import { FAIL, GIVE_UP, REMOVE, SETTLE } from './ledger.updates.js';
import type { UpdateRow } from './dialect.js';
import { dialectOf } from './tables.js';

export interface DatabasePendingSyncStoreOptions {
  readonly dataSource: DataSource;
  /** Seconds until a pending sync is given up; null: never. */
  readonly ttl: number | null;
  /** PostgreSQL: whether captures are prepared statements. Default true; false behind a pooler that does not know them. */
  readonly preparedStatements?: boolean;
}

/** How many rows {@link DatabasePendingSyncStore.cleanup} gives up, {@link DatabasePendingSyncStore.removeForDid} removes in a statement. */
const PAGE = 500;
/** DIDs that a sweep looks at. */
const SWEPT = 500;
/** An error is for people; what a PDS answers has no limit. */
const MAX_ERROR = 2_000;

/** Keeps pending syncs in the tables of `parityEntities`, in the application's own database. */
export class DatabasePendingSyncStore extends PendingSyncStore {
  readonly durable = true;
  private readonly access: LedgerAccess;
  private swept: string | undefined;

  /** @throws ParityOptionsError for a database that it does not know */
  constructor(
    private readonly options: DatabasePendingSyncStoreOptions,
    own?: () => QueryRunner | undefined,
  ) {
    super();
    dialectOf(options.dataSource);
    this.access = new LedgerAccess(options.dataSource, own, options.preparedStatements);
  }

  /** This store on the caller's connection, for as long as `own` gives it: with a pool of one there is no second. */
  on(own: () => QueryRunner | undefined): DatabasePendingSyncStore {
    return new DatabasePendingSyncStore(this.options, own);
  }

  override async capture(changes: readonly PendingChange[], runner?: QueryRunner): Promise<void> {
    if (changes.length === 0) return;
    const { dataSource } = this.options;
    if (runner && runner.manager.dataSource !== dataSource) {
      throw new ParityOptionsError(
        'A transaction of one DataSource cannot hold what is kept in another: keep pending syncs in the DataSource of the entities.',
      );
    }
    const { dialect, connection } = this.access;
    await dialect.capture(connection, captureRows(changes), runner);
  }

  override async due(did: string, options: { limit: number; backlog: boolean }): Promise<PendingEntry[]> {
    const { due, dueWithBacklog } = this.access.sql.ledger;
    const rows = await this.access.rows<LedgerRow>(options.backlog ? dueWithBacklog : due, [
      did,
      options.limit,
    ]);
    return rows.map(toEntry);
  }

  override async at(did: string, uris: readonly string[]): Promise<PendingEntry[]> {
    const keys = [...new Set(uris)].map(parseAtUri).filter((address) => address?.did === did);
    if (keys.length === 0) return [];
    const rows = await this.access.rows<LedgerRow>(this.access.sql.ledger.at, [did, JSON.stringify(keys)]);
    return rows.map(toEntry);
  }

  /** @param runner an open transaction to settle in, which has written what it settles */
  override async settle(
    lease: Lease,
    done: readonly { readonly uri: string; readonly version: number; readonly cid: string | null }[],
    runner?: QueryRunner,
  ): Promise<boolean> {
    const rows = done.flatMap(({ uri, version, cid }) => keyed(uri, version, { cid: cid ?? undefined }));
    return (await this.access.update(SETTLE, rows, lease, runner)).held;
  }

  override async failed(lease: Lease, tries: readonly FailedTry[]): Promise<boolean> {
    const rows = tries.flatMap(({ uri, version, error, spendsAttempt, needsSession }) =>
      keyed(uri, version, {
        error: readable(error),
        spent: spendsAttempt ? 1 : 0,
        session: needsSession ? 1 : 0,
      }),
    );
    return (await this.access.update(FAIL, rows, lease)).held;
  }

  override discard(
    lease: Lease,
    given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
  ): Promise<Discarded[]> {
    return this.giveUp(given, lease);
  }

  override async lease(did: string, milliseconds: number): Promise<Lease | null> {
    const asked = performance.now();
    const { connection, dialect } = this.access;
    const token = await connection.use((query) => dialect.lease(query, did, micros(milliseconds)));
    return token === null ? null : { did, token, endsAt: asked + milliseconds };
  }

  override async extend({ did, token }: Lease, milliseconds: number): Promise<Lease | null> {
    const asked = performance.now();
    const { extend } = this.access.sql.lanes;
    const { affected } = await this.access.query(extend, [did, token, micros(milliseconds)]);
    return affected > 0 ? { did, token, endsAt: asked + milliseconds } : null;
  }

  override async release(
    { did, token }: Lease,
    { retryAt, failures }: { readonly retryAt: Date | null; readonly failures: number },
  ): Promise<void> {
    const { release } = this.access.sql.lanes;
    const at = retryAt?.getTime();
    // The database's clock may differ from ours: it is told how long, not when.
    const times = at === undefined ? [] : [micros(at), micros(at - Date.now())];
    await this.access.query(release(at !== undefined), [did, token, failures, ...times]);
  }

  override async lane(did: string): Promise<Lane> {
    const [row] = await this.access.rows<LaneRow>(this.access.sql.lanes.lane, [did]);
    if (!row) return { did, park: null, retryAt: null, failures: 0 };
    return {
      did,
      park: row.park_reason === null ? null : { reason: row.park_reason, sessionId: row.park_session },
      retryAt: row.retry_at === null ? null : toDate(row.retry_at),
      failures: Number(row.failures),
    };
  }

  override async park(did: string, { reason, sessionId }: Park): Promise<void> {
    await this.access.query(this.access.sql.lanes.park, [did, readable(reason), sessionId]);
  }

  override async unpark(did: string, { retry }: { retry: boolean }): Promise<void> {
    await this.access.query(this.access.sql.lanes.unpark(retry), [did]);
  }

  override async wake(did: string): Promise<void> {
    await this.access.query(this.access.sql.lanes.wake, [did]);
  }

  override async readyLanes(limit: number): Promise<string[]> {
    const { ready, sleep } = this.access.sql.lanes;
    for (;;) {
      const lanes = await this.access.rows<ReadyRow>(ready, [limit]);
      const idle = lanes.filter(({ due }) => Number(due) === 0);
      // Unless somebody wakes it meanwhile, a lane with nothing to do is not looked at again.
      for (const { did, token, wakes } of idle) await this.access.query(sleep, [did, token, wakes]);
      if (idle.length === 0 || lanes.length < limit) {
        return lanes.filter(({ due }) => Number(due) === 1).map(({ did }) => did);
      }
    }
  }

  override async forDid(did: string): Promise<PendingSync[]> {
    return (await this.access.rows<LedgerRow>(this.access.sql.ledger.forDid, [did])).map(toSync);
  }

  override async countForDid(did: string): Promise<number> {
    const [row] = await this.access.rows<{ count: number | string }>(this.access.sql.ledger.count, [did]);
    return Number(row?.count ?? 0);
  }

  override async hasForDid(did: string): Promise<boolean> {
    return (await this.access.rows(this.access.sql.ledger.has, [did])).length > 0;
  }

  override async find(id: string): Promise<PendingSync | null> {
    const address = parseAtUri(id);
    if (!address) return null;
    const { did, collection, rkey } = address;
    const [row] = await this.access.rows<LedgerRow>(this.access.sql.ledger.find, [did, collection, rkey]);
    return row ? toSync(row) : null;
  }

  override async remove(id: string): Promise<boolean> {
    const address = parseAtUri(id);
    if (!address) return false;
    const { did, collection, rkey } = address;
    return (await this.access.query(this.access.sql.ledger.remove, [did, collection, rkey])).affected > 0;
  }

  override async removeForDid(did: string): Promise<number> {
    let removed = 0;
    for (;;) {
      const rows = await this.access.rows<UpdateRow>(this.access.sql.ledger.versions, [did, PAGE]);
      const { keys } = rows.length > 0 ? await this.access.update(REMOVE, rows) : { keys: [] };
      removed += keys.length;
      // None: there are none, or all that are left are being captured again.
      if (keys.length === 0) return removed;
    }
  }

  override async cleanup(): Promise<Discarded[]> {
    const { ttl } = this.options;
    if (ttl === null) return [];
    const rows = await this.access.rows<LedgerRow>(this.access.sql.ledger.expired, [
      micros(ttl * 1_000),
      PAGE,
    ]);
    const reason = `older than ${ttl} seconds`;
    return this.giveUp(rows.map((row) => ({ entry: toEntry(row), reason })));
  }

  /**
   * Wakes lanes that sleep although something in them was never tried, because the process that should have woken them died between
   * its commit and that. Looks at a page of accounts per call, round and round.
   *
   * @param grace milliseconds after a capture in which its own process is left to see to it
   * @returns how many were woken
   */
  async sweep(grace = 10_000): Promise<number> {
    const { connection, dialect, sql } = this.access;
    const { dids, next } = await connection.use((query) => dialect.pendingDids(query, this.swept, SWEPT));
    this.swept = next;
    if (dids.length === 0) return 0;
    const rows = JSON.stringify(dids.map((did) => ({ did })));
    const lost = await this.access.rows<{ did: string }>(sql.ledger.lost, [rows, micros(grace)]);
    for (const { did } of lost) await this.wake(did);
    return lost.length;
  }

  private async giveUp(
    given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
    lease?: Lease,
  ): Promise<Discarded[]> {
    if (given.length === 0) return [];
    const rows = given.flatMap(({ entry, reason }) =>
      keyed(entry.sync.uri, entry.version, { reason: readable(reason) }),
    );
    const { keys } = await this.access.update(GIVE_UP, rows, lease);
    const gone = new Set(keys.map(atUri));
    return given
      .filter(({ entry }) => gone.has(entry.sync.uri))
      .map(({ entry, reason }) => ({ sync: entry.sync, reason }));
  }
}

interface LaneRow {
  readonly park_reason: string | null;
  readonly park_session: string | null;
  readonly retry_at: number | string | null;
  readonly failures: number | string;
}

interface ReadyRow {
  readonly did: string;
  readonly token: number;
  readonly wakes: number;
  readonly due: number | string;
}

function keyed(uri: string, version: number, rest: UpdateRow): UpdateRow[] {
  const address = parseAtUri(uri);
  return address ? [{ ...address, version, ...rest }] : [];
}

const micros = (milliseconds: number): number => Math.round(milliseconds * 1_000);

/** PostgreSQL stores no NUL. */
const readable = (text: string): string => text.replaceAll('\0', '').slice(0, MAX_ERROR);
