import { atUri, type Address } from '../model/address.js';
import type { SessionProvider } from '../sessions/session-provider.js';
import type { Lane, Park } from '../pending/pending-entry.js';
import type { LaneStore } from '../pending/lane.store.js';

export interface LaneParksConfig {
  readonly store: LaneStore;
  readonly sessions: SessionProvider;
  /** Whether what was parked runs by itself once its account has signed in again. */
  readonly autoRetry: boolean;
}

/**
 * Parks the lanes of accounts that have to sign in. A park names the session that failed: a newer one voids
 * it, whatever became of the event that told of the sign-in.
 */
export class LaneParks {
  constructor(private readonly config: LaneParksConfig) {}

  /**
   * The park that these changes meet; null: their lane is free. Without `autoRetry` what was parked is
   * backlog once the park is void, but not the changes that find the lane free.
   */
  async of({ did, park, justFreed }: Lane, changed: readonly Address[]): Promise<Park | null> {
    const { store, autoRetry } = this.config;
    if (park) {
      if (!(await this.isRenewed(did, park.sessionId))) return park;
      await store.unpark(did, { retry: autoRetry });
    }
    if (justFreed || (park && !autoRetry)) await store.renew(did, changed.map(atUri));
    return null;
  }

  /**
   * Parks a lane after a try, unless the account has signed in during the try: then only the old session has
   * failed.
   */
  async park(did: string, park: Park): Promise<void> {
    const { store } = this.config;
    if (await this.isRenewed(did, park.sessionId)) return store.wake(did);
    await store.park(did, park);
    await this.voidIfRenewed(did, park.sessionId);
  }

  /** The listener to a sign-in that came during a try may have freed the lane before the try parked it. */
  async voidIfRenewed(did: string, sessionId: string | null): Promise<void> {
    if (!(await this.isRenewed(did, sessionId))) return;
    const { store } = this.config;
    await store.voidPark(did);
    await store.wake(did);
  }

  /** null: there is no session, or its provider names none. */
  async sessionId(did: string): Promise<string | null> {
    // A store that does not answer now says nothing about the session; the try itself will tell.
    return (await this.config.sessions.sessionId?.(did).catch(() => null)) ?? null;
  }

  private async isRenewed(did: string, sessionId: string | null): Promise<boolean> {
    const now = await this.sessionId(did);
    return now !== null && now !== sessionId;
  }
}
