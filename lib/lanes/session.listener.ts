import { OnEvent } from '@nestjs/event-emitter';
import { SessionAuthenticated } from '../events/session-authenticated.event.js';
import type { LaneLoop } from './lane.loop.js';
import type { LaneStore } from '../pending/lane.store.js';
import type { PendingSyncReader } from '../pending/pending-sync.reader.js';
import { reasonOf } from '../errors/reason-of.js';

export interface SessionListenerOptions {
  readonly store: LaneStore & Pick<PendingSyncReader, 'hasForDid'>;
  readonly loop: LaneLoop;
  /** Whether what was captured before the sign-in is retried by itself. */
  readonly autoRetry: boolean;
  readonly log: { error(message: string): void };
}

/**
 * Frees an account's lane when it has signed in. Whether this ran decides nothing: a park names the session
 * that failed, and the next change, or a retry, sees that there is a newer one.
 */
export class SessionListener {
  /** @param options null while pending syncs are disabled */
  constructor(private readonly options: SessionListenerOptions | null) {}

  /** Never throws, and waits for no retry: it runs while the user waits for the answer to the sign-in. */
  @OnEvent(SessionAuthenticated.event)
  async onSessionAuthenticated({ did }: SessionAuthenticated): Promise<void> {
    if (!this.options) return;
    const { store, loop, autoRetry, log } = this.options;
    try {
      // A lane with nothing in it stays asleep: a worker that looks into it would send the next inline save
      // away.
      if (autoRetry && !(await store.hasForDid(did))) await store.voidPark(did);
      else await store.unpark(did, { retry: autoRetry });
      loop.notify();
    } catch (error) {
      log.error(`Freeing the pending syncs of ${did} failed: ${reasonOf(error)}`);
    }
  }
}
