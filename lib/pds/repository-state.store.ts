import type { QueryRunner } from 'typeorm';
import type { SpentPoints } from './write-budget.js';

/** What has to be remembered of one repository between two writes, and across the death of a process. JSON. */
export interface RepositoryState {
  /** Our own last commit, as far as nobody else is known to have written since; null: ask the PDS. */
  readonly head: string | null;
  /** A request that was sent and whose outcome nobody knows: the head that it demanded, and the CID that it wanted per at-uri (null: a delete). */
  readonly inFlight: RequestInFlight | null;
  /**
   * What earlier requests wanted to make of an address (at-uri to CIDs, null for a delete), and may have made of
   * it, without anybody having settled it. Such an address is read back before it is written, and is no foreign edit.
   */
  readonly unsettled: Readonly<Record<string, readonly (string | null)[]>>;
  /** Write points; counted when a request is sent. */
  readonly spentPoints: SpentPoints;
}

export interface RequestInFlight {
  readonly head: string;
  /** Milliseconds since 1970: by then the request has ended, as far as its sender can see to it. */
  readonly until: number;
  readonly cids: Readonly<Record<string, string | null>>;
}

/** Nothing is known of a repository that was never written. */
export const UNKNOWN_REPOSITORY: RepositoryState = {
  head: null,
  inFlight: null,
  unsettled: {},
  spentPoints: [],
};

/** Whether a request whose outcome the database does not know has, or may still have, an effect on this address. */
export function isInDoubt(state: RepositoryState | null, uri: string): boolean {
  return (
    state !== null && (uri in state.unsettled || (state.inFlight !== null && uri in state.inFlight.cids))
  );
}

/**
 * Port to the memory of the repository writer. One value per DID; the writer never calls two methods for one DID
 * at a time, and whoever shares a store between processes leases a DID to one of them.
 */
export abstract class RepositoryStateStore {
  /** Whether what is stored stays stored; on SQLite's shared connection a stranger's rollback may take it back. */
  readonly isLasting: boolean = true;

  /** The last stored state of `did`; null for a repository that was never written or was forgotten. */
  abstract load(did: string): Promise<RepositoryState | null>;

  /**
   * A request is about to be sent; it is sent after this resolves. Must be stored for good by then: a request that
   * nobody remembers can land after a newer one, undo it, and pass for somebody else's edit.
   *
   * @param token of the lease of whoever stores it, in a store that knows of leases
   * @throws LeaseLostError if somebody else has the lane by now: what he remembers is not overwritten
   */
  abstract sending(did: string, state: RepositoryState, token?: number): Promise<void>;

  /**
   * The outcome of what was sent is known, and `onCommit` has settled it. May be lost: the next write then
   * fences a request that is over, which costs it three requests and no points. A store whose `onCommit`
   * transaction keeps the head as well has nothing to do here. `token` as with {@link sending}.
   */
  abstract settled(did: string, state: RepositoryState, token?: number): Promise<void>;

  /** The account is gone. Forgetting a state with a request in flight gives up what `sending` protects. */
  abstract forget(did: string): Promise<void>;

  /** This store on a caller's connection; see `PendingSyncStore.on`. */
  on(_own: () => QueryRunner | undefined): RepositoryStateStore {
    return this;
  }
}
