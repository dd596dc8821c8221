import type { NodeSavedState, NodeSavedStateStore, RuntimeLock } from '@atproto/oauth-client-node';
import { inStore } from '../store-failure.js';
import type { OAuthStateStore } from './oauth-options.js';

const STORE = 'The store of sign-ins under way';

/**
 * The state store as the OAuth client sees it, which finds only the sign-in that its caller has taken. The
 * client itself reads and then deletes. Of two processes that are called back with one URL (a reload behind a
 * balancer) both would send the code, and the server would then end the session that it gave for it.
 */
export class SignInStates implements NodeSavedStateStore {
  readonly #taken = new Map<string, NodeSavedState>();

  constructor(
    private readonly store: OAuthStateStore,
    private readonly lock: RuntimeLock,
  ) {}

  /** Reads the entry, and leaves it in the store. */
  find(key: string): Promise<NodeSavedState | undefined> {
    return inStore(STORE, () => this.store.get(key));
  }

  /**
   * Takes the sign-in out of the store for `fn`, in which the client finds it.
   *
   * @returns undefined, without a call of `fn`, where another request has taken it
   */
  async complete<T>(key: string, fn: () => Promise<T>): Promise<T | undefined> {
    const state = await inStore(STORE, () => this.#take(key));
    if (!state) return undefined;
    this.#taken.set(key, state);
    try {
      return await fn();
    } finally {
      this.#taken.delete(key);
    }
  }

  get(key: string): NodeSavedState | undefined {
    return this.#taken.get(key);
  }

  async set(key: string, state: NodeSavedState): Promise<void> {
    await inStore(STORE, () => this.store.set(key, state));
  }

  del(key: string): void {
    this.#taken.delete(key);
  }

  async #take(key: string): Promise<NodeSavedState | undefined> {
    if (this.store.take) return this.store.take(key);
    // Few names, because some locks keep a row for each.
    return this.lock(`parity-oauth-state-${key.slice(0, 1)}`, async () => {
      const state = await this.store.get(key);
      if (state) await this.store.del(key);
      return state;
    });
  }
}
