import { type RepositoryState, RepositoryStateStore } from '../pds/repository-state.store.js';
import type { PendingEntry } from '../pending/pending-entry.js';

/**
 * The state of a repository during the first attempt on changes that the store of pending syncs does not know
 * yet. The store outlives the process, so the changes are captured before the first request that may carry
 * them: a crash after that request must not lose them.
 */
export class FirstAttemptState extends RepositoryStateStore {
  /** By at-uri; undefined while no request was sent. */
  captured: ReadonlyMap<string, PendingEntry> | undefined;

  /** @param capture returns undefined if the changes could not be kept; they are attempted all the same */
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
}
