import { atUri, type Address } from '../model/address.js';
import type { SessionProvider } from '../sessions/session-provider.js';
import type { Lane, Park } from '../pending/pending-entry.js';
import type { LaneStore } from '../pending/lane.store.js';

export interface LaneParksConfig {
  readonly store: LaneStore;
  readonly sessions: SessionProvider;
  /** Whether parked changes are retried automatically once their account has signed in again. */
  readonly autoRetry: boolean;
}

/**
 * Parks the lanes of accounts that have to sign in. A park names the session that failed. A newer session
 * voids the park, even if the event of the sign-in was lost.
 */
export class LaneParks {
  constructor(private readonly config: LaneParksConfig) {}

  /**
   * The park that stops these changes; null if their lane is free. Without `autoRetry`, what was parked
   * becomes backlog when the park is voided. Changes that find the lane free do not become backlog.
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
   * Parks a lane after an attempt. If the account has signed in during the attempt, only its old session has
   * failed, and the lane is woken instead.
   */
  async park(did: string, park: Park): Promise<void> {
    const { store } = this.config;
    if (await this.isRenewed(did, park.sessionId)) return store.wake(did);
    await store.park(did, park);
    await this.voidIfRenewed(did, park.sessionId);
  }

  /**
   * A sign-in may have come during the attempt. Its listener has then freed the lane before the attempt
   * parked it.
   */
  async voidIfRenewed(did: string, sessionId: string | null): Promise<void> {
    if (!(await this.isRenewed(did, sessionId))) return;
    const { store } = this.config;
    await store.voidPark(did);
    await store.wake(did);
  }

  /** @returns null if there is no session, or its provider names none */
  async sessionId(did: string): Promise<string | null> {
    // A session store that does not answer says nothing about the session. The attempt itself will show.
    return (await this.config.sessions.sessionId?.(did).catch(() => null)) ?? null;
  }

  private async isRenewed(did: string, sessionId: string | null): Promise<boolean> {
    const now = await this.sessionId(did);
    return now !== null && now !== sessionId;
  }
}
