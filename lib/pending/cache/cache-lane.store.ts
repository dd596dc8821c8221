import { SWEPT, type EnterOptions, type LaneStore } from '../lane.store.js';
import type { EnteredLane, Lane, LaneAfter, Lease, Park } from '../pending-entry.js';
import type { CachedEntries } from './cached-entries.js';
import type { CachedLane } from './cached-lane.js';
import type { CachedLanes } from './cached-lanes.js';
import type { LaneLeases } from './lane-leases.js';
import * as steps from './lane-steps.js';

export interface CacheLaneStoreConfig {
  readonly lanes: CachedLanes;
  readonly leases: LaneLeases;
  readonly entries: CachedEntries;
  readonly now: () => number;
}

/** The lanes of pending syncs in a cache. */
export class CacheLaneStore implements LaneStore {
  private readonly lanes: CachedLanes;
  private readonly leases: LaneLeases;
  private readonly entries: CachedEntries;
  private readonly now: () => number;

  constructor({ lanes, leases, entries, now }: CacheLaneStoreConfig) {
    this.lanes = lanes;
    this.leases = leases;
    this.entries = entries;
    this.now = now;
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
      const entries = lease ? this.entries.at(did, cached, uris) : [];
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
    return this.lanes.update(did, (lane) => steps.renew(lane, uris, () => this.lanes.nextVersion(lane)));
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
    if (!this.entries.leavesAny) return ready.slice(0, limit);
    const ours: string[] = [];
    for (const did of ready) {
      if (ours.length >= limit) break;
      const due = this.entries.due(did, await this.lanes.read(did), { limit: 1, backlog: false });
      if (due.length > 0) ours.push(did);
    }
    return ours;
  }

  async sweep(): Promise<number> {
    await this.lanes.listed();
    const missed = this.lanes.index.missed().filter((did) => !this.leases.isHeld(did));
    for (const did of missed.slice(0, SWEPT)) await this.wake(did);
    return Math.min(missed.length, SWEPT);
  }

  /** Changes the leased lane. If the lease is lost, it changes nothing and returns `refused`. */
  ifOwned<T>(lease: Lease, refused: T, step: (lane: CachedLane) => steps.LaneStep<T>): Promise<T> {
    return this.lanes.update(lease.did, (lane) => (this.leases.owns(lease) ? step(lane) : [lane, refused]));
  }
}
