import { AsyncLocalStorage } from 'node:async_hooks';
import type { NodeSavedSession, NodeSavedSessionStore } from '@atproto/oauth-client-node';
import { sessionLoss } from '../session-loss.js';
import type { KeyedQueue } from '../../runtime/keyed-queue.js';
import type { RetryingSessionStore } from './retrying-session.store.js';
import { sessionIdOf } from './session-id.js';

/** The use of one session: an API call, or a check whether it is still good. */
interface Use {
  readonly kind: 'use';
  readonly sessionId: string;
}

/** A sign-in that is being completed; the client ends the account's session before it stores the new one. */
export interface SignIn {
  readonly kind: 'sign-in';
  /** DIDs whose session the client ended to store the new one. */
  readonly replaced: Set<string>;
  /** The scope of the stored session, once there is one. */
  grantedScope: string;
}

export interface SignOut {
  readonly kind: 'sign-out';
  /** Whether there was a session, which has ended now. */
  ended: boolean;
}

type Activity = Use | SignIn | SignOut;

/**
 * The session store as the OAuth client sees it.
 *
 * It tells real losses. The client deletes sessions on every sign-in, and reports deletions of sessions that
 * never existed; only this store can see whether an account lost the session that it had.
 *
 * It keeps sessions apart. The client knows a session by its DID alone. A call that began with one session
 * and ends after a sign-in would send the new session's token with the old session's key, be refused, and
 * delete the new session. Within `use`, another session is therefore invisible: it is neither read, replaced
 * nor deleted. (Between processes this takes a store that compares; in this process the calls below run one
 * at a time.)
 */
export class GuardedSessionStore implements NodeSavedSessionStore {
  readonly #activity = new AsyncLocalStorage<Activity>();
  /** DIDs whose session is deleted, while the client has not reported the cause yet. */
  readonly #deleted = new Set<string>();

  constructor(
    private readonly inner: RetryingSessionStore,
    private readonly queue: KeyedQueue,
    private readonly onLost: (did: string, reason: string) => void,
  ) {}

  use<T>(sessionId: string, fn: () => Promise<T>): Promise<T> {
    return this.#activity.run({ kind: 'use', sessionId }, fn);
  }

  during<T>(activity: SignIn | SignOut, fn: () => Promise<T>): Promise<T> {
    return this.#activity.run(activity, fn);
  }

  async get(did: string): Promise<NodeSavedSession | undefined> {
    const session = await this.inner.get(did);
    return session && this.#isAnother(session) ? undefined : session;
  }

  set(did: string, session: NodeSavedSession): Promise<void> {
    return this.queue.run(did, async () => {
      const activity = this.#activity.getStore();
      if (activity?.kind === 'use') {
        const present = await this.#read(did);
        // The client revokes on the server what it cannot store, which is right for tokens that no process
        // holds any more.
        if (present === undefined || (present && this.#isAnother(present))) {
          throw new Error(`The session of ${did} ended while it was being refreshed.`);
        }
        // Another process was faster, and the client was given what that process has stored.
        if (present?.tokenSet.refresh_token === session.tokenSet.refresh_token) return;
        await this.inner.setRefreshed(did, session, present);
        return;
      }
      await this.inner.set(did, session);
      if (activity?.kind === 'sign-in') activity.grantedScope = session.tokenSet.scope;
    });
  }

  del(did: string): Promise<void> {
    return this.queue.run(did, async () => {
      const present = await this.#read(did);
      if (present && this.#isAnother(present)) return;
      await this.inner.del(did);
      if (present !== undefined) this.#deleted.add(did);
    });
  }

  /** To be called as the client's `onSessionDeleted`, which follows each `del` and knows the cause. */
  deleted(did: string, cause: unknown): void {
    if (!this.#deleted.delete(did)) return;
    const activity = this.#activity.getStore();
    if (activity?.kind === 'sign-in') {
      activity.replaced.add(did);
      return;
    }
    if (activity?.kind === 'sign-out') activity.ended = true;
    this.onLost(
      did,
      activity?.kind === 'sign-out'
        ? 'signed out'
        : (sessionLoss(cause) ?? 'the session could not be stored, so it was revoked'),
    );
  }

  #isAnother(session: NodeSavedSession): boolean {
    const activity = this.#activity.getStore();
    return activity?.kind === 'use' && activity.sessionId !== sessionIdOf(session);
  }

  /**
   * @returns null where the store cannot be read: if it deletes all the same, one event too many is better
   *   than a loss that is not told
   */
  async #read(did: string): Promise<NodeSavedSession | undefined | null> {
    try {
      return await this.inner.get(did);
    } catch {
      return null;
    }
  }
}
