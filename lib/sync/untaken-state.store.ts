import { type RepositoryState, RepositoryStateStore } from '../pds/repository-state.store.js';

/**
 * A repository's state together with what was written to addresses whose rows could not take it up. Until that is undone no row and no
 * ledger knows of it, and a try that fails, or a crash, must not forget it: it counts as a request without an answer.
 */
export class UntakenState extends RepositoryStateStore {
  /** @param untaken at-uri to CID */
  constructor(
    private readonly store: RepositoryStateStore,
    private readonly untaken: ReadonlyMap<string, string>,
  ) {
    super();
  }

  override load(did: string): Promise<RepositoryState | null> {
    return this.store.load(did);
  }

  override sending(did: string, state: RepositoryState): Promise<void> {
    return this.store.sending(did, this.withUntaken(state));
  }

  override settled(did: string, state: RepositoryState): Promise<void> {
    return this.store.settled(did, this.withUntaken(state));
  }

  override forget(did: string): Promise<void> {
    return this.store.forget(did);
  }

  private withUntaken(state: RepositoryState): RepositoryState {
    if (this.untaken.size === 0) return state;
    const untaken = Object.fromEntries([...this.untaken].map(([uri, cid]) => [uri, [cid]]));
    return { ...state, unsettled: { ...state.unsettled, ...untaken } };
  }
}
