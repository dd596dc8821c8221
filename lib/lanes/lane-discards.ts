import type { ParityEvents } from '../events/parity-events.js';
import { PendingSyncDiscarded } from '../events/pending-sync-discarded.event.js';
import type { Discarded, Lease, PendingEntry } from '../pending/pending-entry.js';
import type { PendingChangeStore } from '../pending/pending-change.store.js';

export interface LaneDiscardsConfig {
  readonly store: PendingChangeStore;
  readonly events: ParityEvents;
  readonly log: { warn(message: string): void };
}

/** Gives pending syncs up, and reports each. */
export class LaneDiscards {
  constructor(private readonly config: LaneDiscardsConfig) {}

  /** @returns how many were given up */
  async discard(
    lease: Lease,
    given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
  ): Promise<number> {
    return this.tell(await this.config.store.discard(lease, given));
  }

  /**
   * Gives up entries that are older than the ttl.
   *
   * @returns how many
   */
  async cleanup(): Promise<number> {
    let gone = 0;
    for (;;) {
      const discarded = await this.config.store.cleanup();
      if (discarded.length === 0) return gone;
      gone += this.tell(discarded);
    }
  }

  private tell(discarded: readonly Discarded[]): number {
    const { events, log } = this.config;
    for (const { sync, reason } of discarded) {
      log.warn(`The pending ${sync.operation} of ${sync.entityName} ${sync.entityId} is given up: ${reason}`);
      events.emit(new PendingSyncDiscarded(sync, reason));
    }
    return discarded.length;
  }
}
