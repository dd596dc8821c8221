import type { EnteredLane, Lane, LaneAfter, Park, Lease } from '../pending-entry.js';
import { SWEPT, type EnterOptions } from '../lane.store.js';
import type { LedgerAccess } from './ledger.access.js';
import { toLane, toState, type LaneRow } from './lane-row.js';
import { addressesOf, micros } from './ledger-row.js';
import { readable } from '../readable.js';
import type { LeftClasses } from './left-classes.js';

interface ReadyRow {
  readonly did: string;
  readonly token: number;
  readonly wakes: number;
  readonly live: number | string;
  readonly backfill: number | string;
}

/**
 * Statements take a duration instead of a time, because the database's clock may differ from the process's.
 */
const until = (at: Date): number => micros(at.getTime() - Date.now());

/** The lanes of a ledger. Each method does what `LaneStore` specifies. */
export class LedgerLanes {
  constructor(
    private readonly access: LedgerAccess,
    private readonly left: LeftClasses,
  ) {}

  async enter(
    did: string,
    uris: readonly string[],
    { milliseconds, anyway = false }: EnterOptions,
  ): Promise<EnteredLane> {
    const asked = performance.now();
    const { access } = this;
    const { connection, dialect } = access;
    const keys = addressesOf(did, uris);
    const taken = await dialect.enter(connection, { did, keys, microseconds: micros(milliseconds), anyway });
    // Read after the statement, which may have waited for the transaction that took or parked the lane.
    if (!taken) return { lane: await this.lane(did), lease: null, entries: [], state: undefined };
    const { lane, entries } = taken;
    return {
      lane: toLane(did, lane),
      lease: { did, token: Number(lane.token), endsAt: asked + milliseconds },
      entries: entries ? entries.map((row) => access.toEntry(row)) : await access.at(keys),
      state: toState(lane),
    };
  }

  async extend({ did, token }: Lease, milliseconds: number): Promise<Lease | null> {
    const asked = performance.now();
    const { extend } = this.access.sql.lanes;
    const { affected } = await this.access.query(extend, [did, token, micros(milliseconds)]);
    return affected > 0 ? { did, token, endsAt: asked + milliseconds } : null;
  }

  async release({ did, token }: Lease, { next, failures, wakeAt }: LaneAfter): Promise<void> {
    const { release } = this.access.sql.lanes;
    const ours = [did, token, failures];
    const longest = wakeAt ? Math.max(0, until(wakeAt)) : null;
    // A lane with a `wakeAt` becomes ready for other processes then.
    const left = wakeAt ? [] : this.left.parameters;
    const leaves = left.length > 0;
    if (next === 'ready') await this.access.query(release(next), ours);
    else if (next === 'as-before') await this.access.query(release(next), [...ours, longest]);
    else if (next === 'asleep') await this.access.query(release(next, leaves), [...ours, longest, ...left]);
    else if ('backfillAt' in next)
      await this.access.query(release('backfill', leaves), [
        ...ours,
        until(next.backfillAt),
        longest,
        ...left,
      ]);
    else {
      const { retryAt } = next;
      await this.access.query(release('retry'), [...ours, micros(retryAt.getTime()), until(retryAt)]);
    }
  }

  async lane(did: string): Promise<Lane> {
    const [row] = await this.access.rows<LaneRow>(this.access.sql.lanes.lane, [did]);
    return toLane(did, row);
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
      const left = this.left.parameters;
      const lanes = await this.access.rows<ReadyRow>(ready(column, left.length > 0), [limit, ...left]);
      const hasTurn = ({ live, backfill }: ReadyRow): boolean =>
        Number(column === 'ready_at' ? live : backfill) === 1;
      const others = lanes.filter((lane) => !hasTurn(lane));
      // A lane without work is put to sleep. If another process has woken it meanwhile, it stays awake.
      for (const { did, token, wakes, backfill } of others) {
        const statement = column === 'ready_at' && Number(backfill) === 1 ? fallBehind : sleep(column);
        await this.access.query(statement, [did, token, wakes]);
      }
      if (others.length === 0 || lanes.length < limit) return lanes.filter(hasTurn).map(({ did }) => did);
    }
  }

  async sweep(grace: number): Promise<number> {
    const lost = await this.access.rows<{ did: string }>(this.access.sql.ledger.lost, [SWEPT, micros(grace)]);
    for (const { did } of lost) await this.wake(did);
    return lost.length;
  }
}
