import { parseAtUri } from '../../model/address.js';
import type { PendingSync } from '../../model/pending-sync.js';
import { NO_DEAD_LETTERS } from '../dead-letter.js';
import type { PendingSyncReader } from '../pending-sync.reader.js';
import type { PendingStats, PendingView, WrittenAddress } from '../pending-views.js';
import { type CachedEntry, type CachedLane, entryAt, isBacklog, toPendingSync } from './cached-lane.js';
import type { CachedLanes } from './cached-lanes.js';
import type { LaneLeases } from './lane-leases.js';

interface Found {
  readonly lane: CachedLane;
  readonly entry: CachedEntry;
  readonly sync: PendingSync;
}

/** What is pending in a cache, for those who look at it. */
export class CachedReader implements PendingSyncReader {
  readonly deadLetters = NO_DEAD_LETTERS;

  constructor(
    private readonly lanes: CachedLanes,
    private readonly leases: LaneLeases,
    private readonly nameOf: (storedName: string) => string,
  ) {}

  async forDid(did: string): Promise<PendingSync[]> {
    const { entries } = await this.lanes.read(did);
    return Object.values(entries).map((entry) => toPendingSync(did, entry, this.nameOf));
  }

  async countForDid(did: string): Promise<number> {
    return Object.keys((await this.lanes.read(did)).entries).length;
  }

  async hasForDid(did: string): Promise<boolean> {
    return (await this.countForDid(did)) > 0;
  }

  async find(id: string): Promise<PendingSync | null> {
    return (await this.found(id))?.sync ?? null;
  }

  async inspect(uri: string): Promise<PendingView | null> {
    const found = await this.found(uri);
    if (!found) return null;
    const { lane, entry, sync } = found;
    const { tried, needsSession } = entry;
    const backlog = !needsSession && isBacklog(entry, lane);
    return { sync, tried, needsSession, backlog, inConflict: false, dead: null };
  }

  async stats(): Promise<PendingStats> {
    await this.lanes.listed();
    const { pending, parked, since } = this.lanes.index.totals();
    const oldestWaiting = since === null ? null : new Date(since);
    return { pending, parked, leased: this.leases.count, dead: 0, oldestWaiting };
  }

  /** What is settled is forgotten. */
  async written(): Promise<WrittenAddress[]> {
    return [];
  }

  private async found(uri: string): Promise<Found | null> {
    const did = parseAtUri(uri)?.did;
    if (did === undefined) return null;
    const lane = await this.lanes.read(did);
    const entry = entryAt(lane, uri);
    return entry ? { lane, entry, sync: toPendingSync(did, entry, this.nameOf) } : null;
  }
}
