import { type RepositoryState, RepositoryStateStore } from '../pds/repository-state.store.js';

/**
 * What is remembered of the repository of a lane that is held. No other worker changes it meanwhile, so the
 * store is asked once at most. A worker that has lost the lane changes it no more.
 */
export class LeasedState extends RepositoryStateStore {
  /**
   * @param token of the lease
   * @param known what was remembered when the lane was taken; undefined: the store has to be asked
   */
  constructor(
    private readonly store: RepositoryStateStore,
    private readonly token: number,
    private known?: RepositoryState | null,
  ) {
    super();
  }

  override async load(did: string): Promise<RepositoryState | null> {
    if (this.known !== undefined) return this.known;
    const state = await this.store.load(did);
    this.keeps(state);
    return state;
  }

  override sending(did: string, state: RepositoryState): Promise<void> {
    return this.once(this.store.sending(did, state, this.token), state);
  }

  override settled(did: string, state: RepositoryState): Promise<void> {
    return this.once(this.store.settled(did, state, this.token), state);
  }

  override forget(did: string): Promise<void> {
    return this.once(this.store.forget(did), null);
  }

  /** A transaction of the lane's own has kept this. */
  keeps(state: RepositoryState | null): void {
    if (this.store.isLasting) this.known = state;
  }

  private async once(stored: Promise<void>, state: RepositoryState | null): Promise<void> {
    this.known = undefined;
    await stored;
    this.keeps(state);
  }
}
