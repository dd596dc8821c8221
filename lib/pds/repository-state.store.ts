import type { QueryRunner } from 'typeorm';
import type { SpentPoints } from './write-budget.js';

/**
 * What the writer remembers of one repository between two writes, and across the death of a process. JSON.
 */
export interface RepositoryState {
  /** Our own last commit, unless another client is known to have written since; null: ask the PDS. */
  readonly head: string | null;
  /**
   * A request that was sent and has an unknown outcome: the head that it demanded, and the CID that it wanted
   * per at-uri (null: a delete).
   */
  readonly inFlight: RequestInFlight | null;
  /**
   * What earlier requests may have made of an address (at-uri to CIDs, null for a delete), and no caller has
   * settled yet. The writer reads such an address back before it writes there. What it finds is no foreign
   * edit.
   */
  readonly unsettled: Readonly<Record<string, readonly (string | null)[]>>;
  /** Write points; counted when a request is sent. */
  readonly spentPoints: SpentPoints;
}

export interface RequestInFlight {
  readonly head: string;
  /** Milliseconds since 1970, by which the sender has ended the request, as far as it could. */
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

/** Whether a request with an unknown outcome has, or may still have, an effect on this address. */
export function isInDoubt(state: RepositoryState | null, uri: string): boolean {
  return (
    state !== null && (uri in state.unsettled || (state.inFlight !== null && uri in state.inFlight.cids))
  );
}

/**
 * Port to the memory of the repository writer, with one value per DID.
 *
 * - The writer never calls two methods for one DID at a time.
 * - Processes that share a store lease a DID to one of them.
 */
export abstract class RepositoryStateStore {
  /**
   * Whether what is stored stays stored. On SQLite's shared connection the rollback of another caller may
   * take it back.
   */
  readonly isLasting: boolean = true;

  /** The last stored state of `did`; null for a repository that was never written. */
  abstract load(did: string): Promise<RepositoryState | null>;

  /**
   * A request is about to be sent; it is sent after this resolves. The state must be stored for good by then:
   * a request that is not remembered can land after a newer one, undo it, and look like an edit of another
   * client.
   *
   * @param token of the caller's lease, in a store that knows of leases
   * @throws LeaseLostError if another worker has the lane by now: the state that it stored is not overwritten
   */
  abstract sending(did: string, state: RepositoryState, token?: number): Promise<void>;

  /**
   * The outcome of the request is known, and `onCommit` has settled it.
   *
   * - This may be lost: the next write then fences a request that is over, which costs three requests and no
   *   points.
   * - A store whose `onCommit` transaction keeps the head as well has nothing to do here.
   *
   * @param token as with {@link sending}
   */
  abstract settled(did: string, state: RepositoryState, token?: number): Promise<void>;

  /** This store on a caller's connection; see `PendingSyncStore.on`. */
  on(_own: () => QueryRunner | undefined): RepositoryStateStore {
    return this;
  }
}
