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
import { SWEPT, type EnterOptions } from '../lane.store.js';
import type { PendingSyncStore } from '../pending-sync.store.js';
import { type CachedEntry, type CachedLane, entryAt, hasTurn, isDue, toPendingEntry } from './cached-lane.js';
import { CachedExpiry } from './cached-expiry.js';
import { CachedLanes } from './cached-lanes.js';
import { CachedReader } from './cached.reader.js';
import { LaneLeases } from './lane-leases.js';
import * as steps from './lane-steps.js';
import { PendingCache } from './pending-cache.js';

export interface CachePendingSyncStoreConfig {
  /** Default: the memory of this process. */
  readonly cache?: PendingSyncCache | undefined;
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
  private readonly leases: LaneLeases;
  private readonly reader: CachedReader;
  private readonly expiry: CachedExpiry;
  private readonly now: () => number;
  private version = 0;
  /** Names of classes that this process does not know. */
  private readonly left = new Set<string>();
  private readonly nameOf: (storedName: string) => string;

  constructor({ ttl: seconds, nameOf, now, warn, ...access }: CachePendingSyncStoreConfig) {
    const cache = new PendingCache(access);
    const ttl = seconds === null ? null : seconds * 1_000;
    this.outlivesProcess = !cache.isVolatile;
    this.nameOf = nameOf ?? ((storedName) => storedName);
    this.now = now ?? Date.now;
    this.lanes = new CachedLanes({ cache, ttl, now: this.now, warn: warn ?? (() => undefined) });
    this.leases = new LaneLeases(now ?? (() => performance.now()));
    this.reader = new CachedReader(this.lanes, this.leases, this.nameOf);
    const isLeft = (entry: CachedEntry): boolean => this.isLeft(entry);
    this.expiry = new CachedExpiry({ lanes: this.lanes, ttl, now: this.now, nameOf: this.nameOf, isLeft });
  }

  /** Remembers nothing that is settled, so it leaves no change alone. */
  async capture(changes: readonly PendingChange[]): Promise<ReadonlySet<string>> {
    const byDid = Map.groupBy(changes, ({ address }) => address.did);
    await Promise.all([...byDid].map(([did, own]) => this.captureFor(did, own)));
    await this.forgetOne();
    return new Set();
  }

  async due(did: string, { limit, backlog }: { limit: number; backlog: boolean }): Promise<PendingEntry[]> {
    const lane = await this.lanes.read(did);
    const now = this.now();
    return Object.values(lane.entries)
      .filter(
        (entry) => (backlog ? !entry.needsSession : isDue(entry, lane, now)) && hasTurn(entry, lane, now),
      )
      .filter((entry) => !this.isLeft(entry))
      .toSorted((a, b) => Number(a.backfill) - Number(b.backfill))
      .slice(0, limit)
      .map((entry) => toPendingEntry(did, entry, this.nameOf));
  }

  leave(entityName: string): boolean {
    const isNew = !this.left.has(entityName);
    this.left.add(entityName);
    return isNew;
  }

  async at(did: string, uris: readonly string[]): Promise<PendingEntry[]> {
    return this.entriesOf(did, await this.lanes.read(did), uris);
  }

  settle(
    lease: Lease,
    done: readonly { readonly uri: string; readonly version: number }[],
  ): Promise<boolean> {
    return this.ifOwned(lease, false, (lane) => steps.settle(lane, done));
  }

  failed(lease: Lease, attempts: readonly FailedAttempt[]): Promise<boolean> {
    return this.ifOwned(lease, false, (lane) => steps.fail(lane, attempts, this.now()));
  }

  discard(
    lease: Lease,
    given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
  ): Promise<Discarded[]> {
    return this.ifOwned(lease, [], (lane) => steps.discard(lane, given));
  }

  /**
   * One step of the lane: nothing can be settled between the look at the lane and the lease, or before the
   * entries are read.
   */
  enter(
    did: string,
    uris: readonly string[],
    { milliseconds, anyway = false }: EnterOptions,
  ): Promise<EnteredLane> {
    return this.lanes.update(did, (cached) => {
      const lane = this.laneOf(did, cached);
      const isOpen = anyway || (lane.park === null && (cached.retryAt ?? 0) <= this.now());
      const lease = isOpen ? this.leases.take(did, milliseconds) : null;
      const entries = lease ? this.entriesOf(did, cached, uris) : [];
      return [cached, { lane, lease, entries, state: undefined }];
    });
  }

  async extend(lease: Lease, milliseconds: number): Promise<Lease | null> {
    return this.leases.extend(lease, milliseconds);
  }

  async release(lease: Lease, after: LaneAfter): Promise<void> {
    try {
      // The lane is stored before the lease ends. In the other order, another worker could take a lane that
      // has to wait.
      await this.ifOwned(lease, undefined, (lane) =>
        steps.release(lane, after, this.leases.wasWoken(lease.did), this.now()),
      );
    } finally {
      this.leases.give(lease);
    }
  }

  async lane(did: string): Promise<Lane> {
    return this.laneOf(did, await this.lanes.read(did));
  }

  private laneOf(did: string, { park, backlog, retryAt, failures }: CachedLane): Lane {
    // A change that meets a leased lane has to wake it. It must not wait for a time that the holder of the
    // lease will change.
    const waits = retryAt !== null && !this.leases.isHeld(did);
    return { did, park, justFreed: backlog > 0, retryAt: waits ? new Date(retryAt) : null, failures };
  }

  park(did: string, park: Park): Promise<void> {
    return this.lanes.update(did, (lane) => steps.park(lane, park));
  }

  unpark(did: string, { retry }: { retry: boolean }): Promise<void> {
    if (retry) this.leases.wake(did);
    return this.lanes.update(did, (lane) => steps.unpark(lane, retry, this.now()));
  }

  voidPark(did: string): Promise<void> {
    return this.lanes.update(did, steps.voidPark);
  }

  renew(did: string, uris: readonly string[]): Promise<void> {
    return this.lanes.update(did, (lane) => steps.renew(lane, uris, () => this.nextVersion(lane)));
  }

  wake(did: string, { backfill = false } = {}): Promise<void> {
    this.leases.wake(did);
    const step = backfill ? steps.wakeBackfill : steps.wake;
    return this.lanes.update(did, (lane) => step(lane, this.now()));
  }

  async readyLanes(limit: number): Promise<string[]> {
    await this.lanes.listed();
    const { index } = this.lanes;
    const now = this.now();
    const ready = [...index.waiting(now), ...index.waitingWithBackfill(now)].filter(
      (did) => !this.leases.isHeld(did),
    );
    if (this.left.size === 0) return ready.slice(0, limit);
    const ours: string[] = [];
    for (const did of ready) {
      if (ours.length >= limit) break;
      if ((await this.due(did, { limit: 1, backlog: false })).length > 0) ours.push(did);
    }
    return ours;
  }

  async sweep(): Promise<number> {
    await this.lanes.listed();
    const missed = this.lanes.index.missed().filter((did) => !this.leases.isHeld(did));
    for (const did of missed.slice(0, SWEPT)) await this.wake(did);
    return Math.min(missed.length, SWEPT);
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
    return this.expiry.cleanup(this.left.size > 0);
  }

  on(): CachePendingSyncStore {
    return this;
  }

  private entriesOf(did: string, lane: CachedLane, uris: readonly string[]): PendingEntry[] {
    return uris.flatMap((uri) => {
      const entry = entryAt(lane, uri);
      return entry ? [toPendingEntry(did, entry, this.nameOf)] : [];
    });
  }

  private isLeft({ entityName, orphaned }: CachedEntry): boolean {
    return this.left.has(entityName) && !orphaned;
  }

  private captureFor(did: string, changes: readonly PendingChange[]): Promise<void> {
    return this.lanes.update(did, (lane) =>
      steps.capture(lane, changes, this.now(), () => this.nextVersion(lane)),
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

  private ifOwned<T>(lease: Lease, refused: T, step: (lane: CachedLane) => steps.LaneStep<T>): Promise<T> {
    return this.lanes.update(lease.did, (lane) => (this.leases.owns(lease) ? step(lane) : [lane, refused]));
  }

  /**
   * Above the clock, so that an address whose value was forgotten, together with its versions, never gets one
   * of those again.
   */
  private nextVersion(lane: CachedLane): number {
    this.version = Math.max(this.version, lane.version, this.now()) + 1;
    return this.version;
  }
}
