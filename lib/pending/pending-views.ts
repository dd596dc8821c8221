import type { Address } from '../model/address.js';
import type { PendingSync } from '../model/pending-sync.js';

/** What a store keeps of one address, for people. */
export interface PendingView {
  readonly sync: PendingSync;
  /** Whether it was tried since it was captured last. */
  readonly tried: boolean;
  /** It waits for another session: a scope is missing. */
  readonly needsSession: boolean;
  /** It was captured before the account signed in last, and waits for a retry by hand. */
  readonly backlog: boolean;
  /** It is no pending sync any more: it was given up. */
  readonly dead: { readonly reason: string; readonly at: Date } | null;
}

/** What a store holds at the moment. */
export interface PendingStats {
  /** Pending syncs, whatever they wait for. */
  readonly pending: number;
  /** Accounts that have to sign in before anything of theirs is tried. */
  readonly parked: number;
  /** Accounts that a worker is busy with right now. */
  readonly leased: number;
  /** Dead letters. */
  readonly dead: number;
  /** Since when the oldest pending sync waits; null: none does. */
  readonly oldestWaiting: Date | null;
}

/** An address that has a record as far as we know, and for which nothing is pending. */
export interface WrittenAddress {
  readonly address: Address;
  readonly entityId: string;
  readonly cid: string;
}
