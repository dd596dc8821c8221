import { type RepositoryState, RepositoryStateStore } from '../pds/repository-state.store.js';

/**
 * What is remembered of the repository of a leased lane. While the lease lasts no other worker changes it, so
 * the store is asked at most once. A worker that has lost the lane cannot change it any more.
 */
export class LeasedState extends RepositoryStateStore {
  /**
   * @param token of the lease
   * @param known the state when the lane was leased; undefined if the store has to be asked
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

  /** A transaction of the lane itself has kept this state. */
  keeps(state: RepositoryState | null): void {
    if (this.store.isLasting) this.known = state;
  }

  private async once(stored: Promise<void>, state: RepositoryState): Promise<void> {
    this.known = undefined;
    await stored;
    this.keeps(state);
  }
}
