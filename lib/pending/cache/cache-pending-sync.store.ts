import { parseAtUri } from '../../model/address.js';
import type { PendingSyncCache } from '../../model/options.js';
import type { PendingSync } from '../../model/pending-sync.js';
import type {
  Discarded,
  EnteredLane,
  FailedAttempt,
  Lane,
  LaneAfter,
  Lease,
  Park,
  PendingChange,
  PendingEntry,
} from '../pending-entry.js';
import type { PendingView, PendingStats, WrittenAddress } from '../pending-views.js';
import { NO_DEAD_LETTERS } from '../dead-letter.js';
import type { EnterOptions } from '../lane.store.js';
import type { PendingSyncStore } from '../pending-sync.store.js';
import { CacheLaneStore } from './cache-lane.store.js';
import { CachedEntries } from './cached-entries.js';
import { CachedExpiry } from './cached-expiry.js';
import { entryAt } from './cached-lane.js';
import { CachedLanes } from './cached-lanes.js';
import { CachedReader } from './cached.reader.js';
import { LaneLeases } from './lane-leases.js';
import * as steps from './lane-steps.js';
import { PendingCache } from './pending-cache.js';

export interface CachePendingSyncStoreConfig {
  /** Default: the memory of this process. */
  readonly cache?: PendingSyncCache | undefined;
  /** Whether its values outlive the process. Default: what its adapters tell; false if they do not. */
  readonly outlivesProcess?: boolean | undefined;
  /** Seconds until a pending sync is given up; null for never. */
  readonly ttl: number | null;
  /** The name under which operators know the class that is stored under a name. Default: the stored name. */
  readonly nameOf?: (storedName: string) => string;
  /** Milliseconds since 1970, for tests. Default: the system's clocks. */
  readonly now?: () => number;
  /** Called when the cache has lost something, or cannot be read. Default: no warning. */
  readonly warn?: (message: string) => void;
  /** How long the cache may take to answer, in ms, unless it is in memory. Default 5000. */
  readonly patience?: number;
}

/**
 * Pending syncs in a cache: best effort, for one process. Several processes, or changes that must not be
 * lost, need the database.
 * - All that is pending of an account is one value. A process that dies leaves the lane from before a change
 *   or from after it, and nothing in between.
 * - Writing the value costs more, the more is pending in it.
 * - A crash between a commit and the request (with a cache in memory, until the failure is stored) loses the
 *   change.
 * - Leases are known to this process only. Two processes on one cache may overwrite each other's values.
 */
export class CachePendingSyncStore implements PendingSyncStore {
  readonly durable = false;
  readonly outlivesProcess: boolean;
  readonly deadLetters = NO_DEAD_LETTERS;
  private readonly lanes: CachedLanes;
  private readonly laneStore: CacheLaneStore;
  private readonly entries: CachedEntries;
  private readonly reader: CachedReader;
  private readonly expiry: CachedExpiry;
  private readonly now: () => number;

  constructor(config: CachePendingSyncStoreConfig) {
    const { ttl: seconds, nameOf = (storedName) => storedName, warn = () => undefined, ...access } = config;
    const cache = new PendingCache(access);
    const ttl = seconds === null ? null : seconds * 1_000;
    const now = config.now ?? Date.now;
    const lanes = new CachedLanes({ cache, ttl, now, warn });
    const leases = new LaneLeases(config.now ?? (() => performance.now()));
    const entries = new CachedEntries(nameOf, now);
    this.outlivesProcess = cache.outlivesProcess;
    this.now = now;
    this.lanes = lanes;
    this.entries = entries;
    this.laneStore = new CacheLaneStore({ lanes, leases, entries, now });
    this.reader = new CachedReader(lanes, leases, nameOf);
    this.expiry = new CachedExpiry({ lanes, entries, ttl, now, nameOf });
  }

  /** Remembers nothing that is settled, so it leaves no change alone. */
  async capture(changes: readonly PendingChange[]): Promise<ReadonlySet<string>> {
    const byDid = Map.groupBy(changes, ({ address }) => address.did);
    await Promise.all([...byDid].map(([did, own]) => this.captureFor(did, own)));
    await this.forgetOne();
    return new Set();
  }

  async due(did: string, options: { limit: number; backlog: boolean }): Promise<PendingEntry[]> {
    return this.entries.due(did, await this.lanes.read(did), options);
  }

  leave(entityName: string): boolean {
    return this.entries.leave(entityName);
  }

  async at(did: string, uris: readonly string[]): Promise<PendingEntry[]> {
    return this.entries.at(did, await this.lanes.read(did), uris);
  }

  settle(
    lease: Lease,
    done: readonly { readonly uri: string; readonly version: number }[],
  ): Promise<boolean> {
    return this.laneStore.ifOwned(lease, false, (lane) => steps.settle(lane, done));
  }

  failed(lease: Lease, attempts: readonly FailedAttempt[]): Promise<boolean> {
    return this.laneStore.ifOwned(lease, false, (lane) => steps.fail(lane, attempts, this.now()));
  }

  discard(
    lease: Lease,
    given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
  ): Promise<Discarded[]> {
    return this.laneStore.ifOwned(lease, [], (lane) => steps.discard(lane, given));
  }

  enter(did: string, uris: readonly string[], options: EnterOptions): Promise<EnteredLane> {
    return this.laneStore.enter(did, uris, options);
  }

  extend(lease: Lease, milliseconds: number): Promise<Lease | null> {
    return this.laneStore.extend(lease, milliseconds);
  }

  release(lease: Lease, after: LaneAfter): Promise<void> {
    return this.laneStore.release(lease, after);
  }

  lane(did: string): Promise<Lane> {
    return this.laneStore.lane(did);
  }

  park(did: string, park: Park): Promise<void> {
    return this.laneStore.park(did, park);
  }

  unpark(did: string, options: { retry: boolean }): Promise<void> {
    return this.laneStore.unpark(did, options);
  }

  voidPark(did: string): Promise<void> {
    return this.laneStore.voidPark(did);
  }

  renew(did: string, uris: readonly string[]): Promise<void> {
    return this.laneStore.renew(did, uris);
  }

  wake(did: string, options?: { readonly backfill: boolean }): Promise<void> {
    return this.laneStore.wake(did, options);
  }

  readyLanes(limit: number): Promise<string[]> {
    return this.laneStore.readyLanes(limit);
  }

  sweep(): Promise<number> {
    return this.laneStore.sweep();
  }

  forDid(did: string): Promise<PendingSync[]> {
    return this.reader.forDid(did);
  }

  countForDid(did: string): Promise<number> {
    return this.reader.countForDid(did);
  }

  hasForDid(did: string): Promise<boolean> {
    return this.reader.hasForDid(did);
  }

  find(id: string): Promise<PendingSync | null> {
    return this.reader.find(id);
  }

  inspect(uri: string): Promise<PendingView | null> {
    return this.reader.inspect(uri);
  }

  stats(): Promise<PendingStats> {
    return this.reader.stats();
  }

  written(): Promise<WrittenAddress[]> {
    return this.reader.written();
  }

  async remove(id: string): Promise<boolean> {
    const did = parseAtUri(id)?.did;
    if (did === undefined) return false;
    return this.lanes.update(did, (lane) =>
      entryAt(lane, id) ? [steps.without(lane, [id]), true] : [lane, false],
    );
  }

  /** Also deletes a value that cannot be read, and counts it as 0. */
  async removeForDid(did: string): Promise<number> {
    if (await this.lanes.deleteUnreadable(did)) return 0;
    return this.lanes.update(did, (lane) => {
      const uris = Object.keys(lane.entries);
      return [steps.without(lane, uris), uris.length];
    });
  }

  cleanup(): Promise<Discarded[]> {
    return this.expiry.cleanup();
  }

  on(): CachePendingSyncStore {
    return this;
  }

  private captureFor(did: string, changes: readonly PendingChange[]): Promise<void> {
    return this.lanes.update(did, (lane) =>
      steps.capture(lane, changes, this.now(), () => this.lanes.nextVersion(lane)),
    );
  }

  /**
   * Keeps the index from growing where the application never calls cleanup. The changes are already kept, so
   * a failure here is ignored.
   */
  private async forgetOne(): Promise<void> {
    const did = this.lanes.index.next();
    if (did !== undefined && this.lanes.index.hasEnded(did, this.now())) {
      await this.lanes.forgetEnded(did).catch(() => undefined);
    }
  }
}
