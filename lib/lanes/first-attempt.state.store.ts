import { type RepositoryState, RepositoryStateStore } from '../pds/repository-state.store.js';
import type { PendingEntry } from '../pending/pending-entry.js';

/**
 * The state of a repository in the first try of some changes, where the store of pending syncs outlives the
 * process and does not know them yet: they are captured before the first request that may carry them is sent.
 */
export class FirstAttemptState extends RepositoryStateStore {
  /** By at-uri; undefined while nothing was sent. */
  captured: ReadonlyMap<string, PendingEntry> | undefined;

  /** @param capture gives undefined if the changes could not be kept: they are tried all the same */
  constructor(
    private readonly store: RepositoryStateStore,
    private readonly capture: () => Promise<ReadonlyMap<string, PendingEntry> | undefined>,
  ) {
    super();
  }

  override load(did: string): Promise<RepositoryState | null> {
    return this.store.load(did);
  }

  override async sending(did: string, state: RepositoryState): Promise<void> {
    this.captured ??= await this.capture();
    return this.store.sending(did, state);
  }

  override settled(did: string, state: RepositoryState): Promise<void> {
    return this.store.settled(did, state);
  }

  override forget(did: string): Promise<void> {
    return this.store.forget(did);
  }
}
