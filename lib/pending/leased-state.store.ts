import { type RepositoryState, RepositoryStateStore } from '../pds/repository-state.store.js';

/** What is remembered of the repository of a lane that is held: nobody else changes it meanwhile, so it is asked for once. */
export class LeasedState extends RepositoryStateStore {
  /** Undefined: that has to be asked. */
  private known: RepositoryState | null | undefined;

  constructor(private readonly store: RepositoryStateStore) {
    super();
  }

  override async load(did: string): Promise<RepositoryState | null> {
    if (this.known === undefined) this.known = await this.store.load(did);
    return this.known;
  }

  override sending(did: string, state: RepositoryState): Promise<void> {
    return this.once(this.store.sending(did, state), state);
  }

  override settled(did: string, state: RepositoryState): Promise<void> {
    return this.once(this.store.settled(did, state), state);
  }

  override async forget(did: string): Promise<void> {
    await this.once(this.store.forget(did), null);
  }

  /** A transaction of the lane's own has kept this. */
  keeps(state: RepositoryState): void {
    this.known = state;
  }

  private async once(stored: Promise<void>, state: RepositoryState | null): Promise<void> {
    this.known = undefined;
    await stored;
    this.known = state;
  }
}
