import { type RepositoryState, RepositoryStateStore } from '../pds/repository-state.store.js';

/**
 * Adds to a repository's state what was written to addresses whose rows do not name it. Until that is undone,
 * no row and no ledger knows of it. A failed attempt or a crash must not lose it, so it is remembered like a
 * request without an answer.
 */
export class UnrecordedWritesState extends RepositoryStateStore {
  private kept: RepositoryState | undefined;

  /** @param untaken CIDs by at-uri */
  constructor(
    private readonly store: RepositoryStateStore,
    private readonly untaken: ReadonlyMap<string, string | null>,
  ) {
    super();
  }

  override load(did: string): Promise<RepositoryState | null> {
    return this.store.load(did);
  }

  override sending(did: string, state: RepositoryState): Promise<void> {
    return this.store.sending(did, withUnrecorded(state, this.untaken));
  }

  override async settled(did: string, state: RepositoryState): Promise<void> {
    if (state !== this.kept) await this.store.settled(did, withUnrecorded(state, this.untaken));
  }

  /** The transaction that settled it has already kept this state, so it is not stored again. */
  keeps(state: RepositoryState): void {
    this.kept = state;
  }
}

export function withUnrecorded(
  state: RepositoryState,
  untaken: ReadonlyMap<string, string | null>,
): RepositoryState {
  if (untaken.size === 0) return state;
  const unsettled = Object.fromEntries([...untaken].map(([uri, cid]) => [uri, [cid]]));
  return { ...state, unsettled: { ...state.unsettled, ...unsettled } };
}
