import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeSavedSession } from '@atproto/oauth-client-node';
import type { SessionLogger } from '../session-logger.js';
import { isEnvelope } from './encryption/cipher.js';
import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { reasonOf } from '../../errors/reason-of.js';
import { inStore } from '../store-failure.js';
import { KeyedQueue } from '../../runtime/keyed-queue.js';
import type { OAuthSessionStore } from './oauth-options.js';
import { sessionIdOf } from './session-id.js';

/** A refreshed session that the store did not take. */
interface Kept {
  readonly session: NodeSavedSession;
  /**
   * The refresh token that it replaces, which the store must still have; null where the store could not be
   * read.
   */
  readonly replaces: string | null;
}

/** Pauses between the attempts of one write, in ms. */
const PAUSES = [200, 1_000];
const FIRST_RETRY = 1_000;
const LAST_RETRY = 30_000;
const MAX_KEPT = 1_000;
const STORE = 'The session store';

/**
 * Retries writes. The client revokes on the server what its store does not take, although a database outage
 * of a moment is no reason to sign a user out.
 *
 * - A write is tried three times.
 * - After that a *refreshed* session is kept in memory, where this process finds it, and stored as soon as
 *   the store takes it. If another process refreshes meanwhile, it sends the used token, and the session
 *   ends; it also ends if this process ends first.
 * - A *new* session is refused after three attempts: its user is present, and can sign in once more.
 *
 * Callers make the writes of one DID one at a time, in `queue`, which the later attempts use, too.
 */
export class RetryingSessionStore {
  readonly #kept = new Map<string, Kept>();
  #timer: NodeJS.Timeout | undefined;
  #retry = FIRST_RETRY;

  constructor(
    private readonly inner: OAuthSessionStore,
    private readonly queue: KeyedQueue,
    private readonly logger: SessionLogger,
  ) {}

  async get(did: string): Promise<NodeSavedSession | undefined> {
    const kept = this.#kept.get(did);
    if (!kept) return this.#read(did);
    const stored = await this.#read(did).catch(() => null);
    if (stored === null || (stored && isReplacedBy(stored, kept))) return kept.session;
    // The account has signed out or in meanwhile, or the session is stored.
    this.#kept.delete(did);
    return stored;
  }

  /** @throws SessionStoreError after the third attempt */
  async set(did: string, session: NodeSavedSession): Promise<void> {
    await this.#write(did, session);
    this.#kept.delete(did);
  }

  /**
   * @param replaced the session before the refresh; null where it cannot be read
   * @throws only where too many sessions wait in memory already
   */
  async setRefreshed(
    did: string,
    session: NodeSavedSession,
    replaced: NodeSavedSession | null,
  ): Promise<void> {
    const before = this.#kept.get(did);
    try {
      await this.set(did, session);
    } catch (error) {
      if (!before && this.#kept.size >= MAX_KEPT) throw error;
      const replaces = before ? before.replaces : (replaced?.tokenSet.refresh_token ?? null);
      this.#kept.set(did, { session, replaces });
      this.logger.error(
        `The refreshed session of ${did} could not be stored: ${reasonOf(error)} This process goes on with it and tries to ` +
          'store it; if the process ends before, the account has to sign in again.',
      );
      this.#schedule();
    }
  }

  async del(did: string): Promise<void> {
    this.#kept.delete(did);
    await inStore(STORE, () => this.inner.del(did), did);
  }

  /** Tries once more to store the sessions that are kept in memory; to be called before the store closes. */
  async close(): Promise<void> {
    await this.#storeKept();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #read(did: string): Promise<NodeSavedSession | undefined> {
    const session: unknown = await inStore(STORE, () => this.inner.get(did), did);
    if (isEnvelope(session)) {
      throw new ParityOptionsError(
        `The stored OAuth session of ${did} is encrypted with the key '${session.kid}', and the store has no keys: give ` +
          'encryptionKeys again. Nothing is deleted.',
      );
    }
    return session as NodeSavedSession | undefined;
  }

  async #write(did: string, session: NodeSavedSession): Promise<void> {
    for (const pause of PAUSES) {
      try {
        await this.inner.set(did, session);
        return;
      } catch {
        await sleep(pause);
      }
    }
    await inStore(STORE, () => this.inner.set(did, session), did);
  }

  #schedule(): void {
    if (this.#timer || this.#kept.size === 0) return;
    this.#timer = setTimeout(() => {
      void this.#storeKept().finally(() => {
        this.#timer = undefined;
        this.#retry = this.#kept.size === 0 ? FIRST_RETRY : Math.min(this.#retry * 2, LAST_RETRY);
        this.#schedule();
      });
    }, this.#retry).unref();
  }

  async #storeKept(): Promise<void> {
    for (const did of this.#kept.keys()) {
      const stored = await this.queue.run(did, () => this.#storeOne(did));
      if (!stored) return;
    }
  }

  /** @returns whether to go on with the next one */
  async #storeOne(did: string): Promise<boolean> {
    try {
      const kept = this.#kept.get(did);
      const present = await this.#read(did);
      if (!kept) return true;
      if (present && isReplacedBy(present, kept)) {
        await this.inner.set(did, kept.session);
        this.logger.log(`The refreshed session of ${did} is stored now.`);
      }
      if (this.#kept.get(did) === kept) this.#kept.delete(did);
      return true;
    } catch {
      return false;
    }
  }
}

const isReplacedBy = (stored: NodeSavedSession, { session, replaces }: Kept): boolean =>
  replaces === null
    ? sessionIdOf(stored) === sessionIdOf(session)
    : stored.tokenSet.refresh_token === replaces;
