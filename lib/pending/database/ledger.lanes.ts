import type { Lane, LaneNext, Lease, Park } from '../pending-entry.js';
import type { LedgerAccess } from './ledger.access.js';
import { micros, readable, toDate } from './ledger-row.js';

interface LaneRow {
  readonly park_reason: string | null;
  readonly park_session: string | null;
  readonly park_code: string | null;
  readonly retry_at: number | string | null;
  readonly failures: number | string;
  readonly just_freed: number | string;
}

interface ReadyRow {
  readonly did: string;
  readonly token: number;
  readonly wakes: number;
  readonly live: number | string;
  readonly backfill: number | string;
}

/** The database's clock may differ from ours: it is told how long, not when. */
const until = (at: Date): number => micros(at.getTime() - Date.now());

/** DIDs that a sweep looks at. */
const SWEPT = 500;

/** The lanes of a ledger: who works on them, and when. Each method does what `PendingSyncStore` says of it. */
export class LedgerLanes {
  private swept: string | undefined;

  constructor(private readonly access: LedgerAccess) {}

  async lease(did: string, milliseconds: number): Promise<Lease | null> {
    const asked = performance.now();
    const { connection, dialect } = this.access;
    const token = await connection.use((query) => dialect.lease(query, did, micros(milliseconds)));
    return token === null ? null : { did, token, endsAt: asked + milliseconds };
  }

  async extend({ did, token }: Lease, milliseconds: number): Promise<Lease | null> {
    const asked = performance.now();
    const { extend } = this.access.sql.lanes;
    const { affected } = await this.access.query(extend, [did, token, micros(milliseconds)]);
    return affected > 0 ? { did, token, endsAt: asked + milliseconds } : null;
  }

  async release({ did, token }: Lease, next: LaneNext, failures: number): Promise<void> {
    const { release } = this.access.sql.lanes;
    const ours = [did, token, failures];
    if (typeof next === 'string') await this.access.query(release(next), ours);
    else if ('backfillAt' in next)
      await this.access.query(release('backfill'), [...ours, until(next.backfillAt)]);
    else {
      const { retryAt } = next;
      await this.access.query(release('retry'), [...ours, micros(retryAt.getTime()), until(retryAt)]);
    }
  }

  async lane(did: string): Promise<Lane> {
    const [row] = await this.access.rows<LaneRow>(this.access.sql.lanes.lane, [did]);
    if (!row) return { did, park: null, justFreed: false, retryAt: null, failures: 0 };
    return {
      did,
      park:
        row.park_reason === null
          ? null
          : { reason: row.park_reason, sessionId: row.park_session, code: row.park_code ?? '' },
      justFreed: Number(row.just_freed) === 1,
      retryAt: row.retry_at === null ? null : toDate(row.retry_at),
      failures: Number(row.failures),
    };
  }

  async park(did: string, { reason, sessionId, code }: Park): Promise<void> {
    await this.access.query(this.access.sql.lanes.park, [did, readable(reason), sessionId, code]);
  }

  async unpark(did: string, retry: boolean): Promise<void> {
    const { unpark, unparkAndRetry } = this.access.sql.lanes;
    await this.access.query(retry ? unparkAndRetry : unpark, [did]);
  }

  async voidPark(did: string): Promise<void> {
    await this.access.query(this.access.sql.lanes.voidPark, [did]);
  }

  async wake(did: string, backfill = false): Promise<void> {
    const { wake, wakeBackfill } = this.access.sql.lanes;
    await this.access.query(backfill ? wakeBackfill : wake, [did]);
  }

  async ready(limit: number): Promise<string[]> {
    const live = await this.readyBy('ready_at', limit);
    return live.length < limit
      ? [...live, ...(await this.readyBy('backfill_at', limit - live.length))]
      : live;
  }

  private async readyBy(column: 'ready_at' | 'backfill_at', limit: number): Promise<string[]> {
    const { ready, sleep, fallBehind } = this.access.sql.lanes;
    for (;;) {
      const lanes = await this.access.rows<ReadyRow>(ready(column), [limit]);
      const hasTurn = ({ live, backfill }: ReadyRow): boolean =>
        Number(column === 'ready_at' ? live : backfill) === 1;
      const others = lanes.filter((lane) => !hasTurn(lane));
      // Unless somebody wakes it meanwhile, a lane with nothing to do is not looked at again.
      for (const { did, token, wakes, backfill } of others) {
        const step = column === 'ready_at' && Number(backfill) === 1 ? fallBehind : sleep(column);
        await this.access.query(step, [did, token, wakes]);
      }
      if (others.length === 0 || lanes.length < limit) return lanes.filter(hasTurn).map(({ did }) => did);
    }
  }

  /** Looks at a page of accounts per call, round and round. */
  async sweep(grace: number): Promise<number> {
    const { connection, dialect, sql } = this.access;
    const { dids, next } = await connection.use((query) => dialect.pendingDids(query, this.swept, SWEPT));
    this.swept = next;
    if (dids.length === 0) return 0;
    const rows = JSON.stringify(dids.map((did) => ({ did })));
    const lost = await this.access.rows<{ did: string }>(sql.ledger.lost, [rows, micros(grace)]);
    for (const { did } of lost) await this.wake(did);
    return lost.length;
  }
}
