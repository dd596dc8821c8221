import { atUri, type Address } from '../model/address.js';
import type { EnteredLane, Lease, Park, PendingEntry } from '../pending/pending-entry.js';
import type { LaneStore } from '../pending/lane.store.js';
import type { PendingChangeStore } from '../pending/pending-change.store.js';
import type { RepositoryStateStore } from '../pds/repository-state.store.js';
import type { RepositoryWriter } from '../pds/repository-writer.js';
import type { LaneParks } from './lane-parks.js';
import { LEASE, LeasedLane } from './leased-lane.js';
import { LeasedState } from './leased-state.store.js';

export interface LaneGateConfig {
  readonly store: LaneStore & Pick<PendingChangeStore, 'at'>;
  readonly state: RepositoryStateStore;
  readonly writer: RepositoryWriter;
  readonly parks: LaneParks;
}

/** A lane that was leased for some changes. */
export interface Entered {
  readonly held: LeasedLane;
  /** The pending entries at the addresses of the changes, by at-uri. */
  readonly entries: ReadonlyMap<string, PendingEntry>;
}

/** Why some changes are not attempted now. */
export interface Closed {
  /** For operators and logs. */
  readonly reason: string;
  readonly park: Park | null;
}

/** Gives a lane to one worker at a time, and says why it gives it to none. */
export class LaneGate {
  constructor(private readonly config: LaneGateConfig) {}

  /**
   * Leases the lane for changes at these addresses, unless it is parked or leased, or it or its host backs
   * off.
   */
  async enter(did: string, addresses: readonly Address[]): Promise<Entered | Closed> {
    const { store, writer, parks } = this.config;
    const pausedUntil = writer.pausedUntil(did);
    if (!pausedUntil) return this.takeFor(did, addresses);
    const park = await parks.of(await store.lane(did), addresses);
    return park ? parkedAs(did, park) : delayedUntil(pausedUntil);
  }

  /** Leases the lane whether or not it backs off; null if another worker has it. */
  async take(did: string): Promise<LeasedLane | null> {
    const entered = await this.config.store.enter(did, [], { milliseconds: LEASE, anyway: true });
    return entered.lease && this.held(entered, entered.lease);
  }

  private async takeFor(
    did: string,
    addresses: readonly Address[],
    isSecondLook = false,
  ): Promise<Entered | Closed> {
    const { store, parks } = this.config;
    const entered = await store.enter(did, addresses.map(atUri), { milliseconds: LEASE });
    const { lane, lease, entries } = entered;
    if (lease) {
      const held = this.held(entered, lease);
      return {
        held,
        entries: byUri(lane.justFreed ? await this.renewed(entered, held, addresses) : entries),
      };
    }
    const park = await parks.of(lane, addresses);
    if (park) return parkedAs(did, park);
    // The account has signed in since the lane was parked, so the lane may be free by now.
    if (lane.park && !isSecondLook) return this.takeFor(did, addresses, true);
    return lane.retryAt ? delayedUntil(lane.retryAt) : { reason: 'another worker has the lane', park: null };
  }

  /**
   * Reads the entries again after their changes have found the lane free, because a store may have given them
   * new versions.
   */
  private async renewed(
    { lane }: EnteredLane,
    held: LeasedLane,
    addresses: readonly Address[],
  ): Promise<readonly PendingEntry[]> {
    try {
      await this.config.parks.of(lane, addresses);
      return await this.config.store.at(lane.did, addresses.map(atUri));
    } catch (error) {
      held.skip('as-before');
      await held.release().catch(() => undefined);
      throw error;
    }
  }

  private held({ lane, state }: EnteredLane, lease: Lease): LeasedLane {
    const { store, state: states } = this.config;
    return new LeasedLane(store, lease, lane, new LeasedState(states, lease.token, state));
  }
}

export const byUri = (entries: readonly PendingEntry[]): Map<string, PendingEntry> =>
  new Map(entries.map((entry) => [entry.sync.uri, entry]));

const parkedAs = (did: string, park: Park): Closed => ({
  reason: `${did} has to sign in again: ${park.reason}`,
  park,
});

const delayedUntil = (retryAt: Date): Closed => ({
  reason: `the PDS did not answer well; the next try is at ${retryAt.toISOString()}`,
  park: null,
});
