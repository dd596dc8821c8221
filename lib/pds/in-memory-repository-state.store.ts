import { type RepositoryState, RepositoryStateStore } from './repository-state.store.js';

/** How many repositories are remembered. */
const LIMIT = 10_000;

/**
 * Remembers the repositories that were written last, in this process only. After a restart the first write of
 * each asks for the head and reads back what it updates. A request that a killed process left behind is not
 * fenced.
 */
export class InMemoryRepositoryStateStore extends RepositoryStateStore {
  private readonly states = new Map<string, RepositoryState>();

  async load(did: string): Promise<RepositoryState | null> {
    return this.states.get(did) ?? null;
  }

  async sending(did: string, state: RepositoryState): Promise<void> {
    this.put(did, state);
  }

  async settled(did: string, state: RepositoryState): Promise<void> {
    this.put(did, state);
  }

  private put(did: string, state: RepositoryState): void {
    // A Map keeps the order of insertion: what was written last goes to the end.
    this.states.delete(did);
    this.states.set(did, state);
    if (this.states.size > LIMIT) this.evict();
  }

  /**
   * Evicts states with a request in flight last: a head can be asked for again, and the request is known only
   * here.
   */
  private evict(): void {
    for (const [did, { inFlight, unsettled }] of this.states) {
      if (inFlight === null && Object.keys(unsettled).length === 0) {
        this.states.delete(did);
        return;
      }
    }
    const [oldest] = this.states.keys();
    if (oldest !== undefined) this.states.delete(oldest);
  }
}
