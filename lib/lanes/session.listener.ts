import { OnEvent } from '@nestjs/event-emitter';
import { SessionAuthenticated } from '../events/session-authenticated.event.js';
import type { LaneLoop } from './lane.loop.js';
import type { LaneStore } from '../pending/lane.store.js';
import type { PendingSyncReader } from '../pending/pending-sync.reader.js';
import { reasonOf } from '../errors/reason-of.js';

export interface SessionListenerOptions {
  readonly store: LaneStore & Pick<PendingSyncReader, 'hasForDid'>;
  readonly loop: LaneLoop;
  /** Whether changes from before the sign-in are retried automatically. */
  readonly autoRetry: boolean;
  readonly log: { error(message: string): void };
}

/**
 * Frees the lane of an account that has signed in. Nothing depends on this having run: a park names the
 * session that failed, so the next change or retry sees that there is a newer session.
 */
export class SessionListener {
  /** @param options null while pending syncs are disabled */
  constructor(private readonly options: SessionListenerOptions | null) {}

  /** Never throws, and waits for no retry, because the user waits for the answer to the sign-in meanwhile. */
  @OnEvent(SessionAuthenticated.event)
  async onSessionAuthenticated({ did }: SessionAuthenticated): Promise<void> {
    if (!this.options) return;
    const { store, loop, autoRetry, log } = this.options;
    try {
      // A lane without entries stays asleep: a worker that looked into it would make the next inline save
      // find it busy.
      if (autoRetry && !(await store.hasForDid(did))) await store.voidPark(did);
      else await store.unpark(did, { retry: autoRetry });
      loop.notify();
    } catch (error) {
      log.error(`Freeing the pending syncs of ${did} failed: ${reasonOf(error)}`);
    }
  }
}
