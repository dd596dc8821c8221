import type { Address } from '../model/address.js';
import type { PendingSync } from '../model/pending-sync.js';

/** What a store keeps for one address, for operators. */
export interface PendingView {
  readonly sync: PendingSync;
  /** Whether it was attempted since its last capture. */
  readonly tried: boolean;
  /** It waits for another session, because a scope is missing. */
  readonly needsSession: boolean;
  /** It was captured before the last sign-in of the account, and waits for a retry by hand. */
  readonly backlog: boolean;
  /** A conflict with the record in the repository has to be resolved first. */
  readonly inConflict: boolean;
  /** Set if it was given up, and is no pending sync any more. */
  readonly dead: { readonly reason: string; readonly at: Date } | null;
}

/** What a store holds at the moment. */
export interface PendingStats {
  /** Pending syncs, whatever they wait for. */
  readonly pending: number;
  /** Accounts that have to sign in before any of their entries is attempted. */
  readonly parked: number;
  /** Accounts that a worker is working on right now. */
  readonly leased: number;
  /** Dead letters. */
  readonly dead: number;
  /** Since when the oldest pending sync has waited; null if there is none. */
  readonly oldestWaiting: Date | null;
}

/** An address that has a record as far as the store knows, and nothing pending. */
export interface WrittenAddress {
  readonly address: Address;
  readonly entityId: string;
  readonly cid: string;
}
