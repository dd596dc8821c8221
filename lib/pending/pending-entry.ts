import type { Address } from '../model/address.js';
import type { PendingSync, SyncOperation } from '../model/pending-sync.js';
import type { RepositoryState } from '../pds/repository-state.store.js';
import type { Trigger } from '../sync/change.js';

/**
 * A change as a store keeps it. It says where to look, and what cannot be known later; never what to write.
 */
export interface PendingChange {
  readonly address: Address;
  /** As it is kept: `SyncedEntity.storedName`. */
  readonly entityName: string;
  readonly entityId: string;
  /** What was due when the change was made. */
  readonly operation: SyncOperation;
  /** Who asked: the entity's life, or somebody by hand. */
  readonly trigger: Trigger;
  /**
   * The record's CID as the row knew it when the change was made, for an address that no row remembers any
   * more.
   */
  readonly cid: string | null;
  /** `shouldAutoUnsync` said no when the row was removed. */
  readonly keepRecord: boolean;
  /**
   * The entity gave the address up (its row is gone, or its record has moved): whoever claims it already goes
   * on claiming it.
   */
  readonly givenUp: boolean;
  /** The row is gone, and no other can hold the address: what is left to do takes no entity class. */
  readonly orphaned: boolean;
  /**
   * A record may have to be deleted, though that is not known yet. Like an unpublish, such a change never
   * expires.
   */
  readonly mayDelete: boolean;
  /** Found by a reconciliation: what users do now comes first. */
  readonly backfill: boolean;
}

/** A change as it is given to a store. */
export interface OfferedChange extends PendingChange {
  /**
   * The entity asks for no more than its row knows: the record that `cid` names, or without one none at all.
   * There is nothing to do if that record is what was settled there last, or if of an address without one
   * nothing was ever kept; and everything otherwise.
   */
  readonly unlessSettled?: boolean;
}

/** One pending sync, with what the stores and the lane worker need to know of it. */
export interface PendingEntry extends PendingChange {
  readonly sync: PendingSync;
  /** Raised by each capture of the address, never reused: what is settled is settled as of a version. */
  readonly version: number;
}

/** Why nothing of a lane is tried. */
export interface Park {
  /** For people; no token. */
  readonly reason: string;
  /**
   * The session that failed (`SessionProvider.sessionId`); a newer one voids the park. null: the provider
   * names none.
   */
  readonly sessionId: string | null;
  /** `code` of the error that parked it: whoever meets the park gets the same. */
  readonly code: string;
}

export interface Lane {
  readonly did: string;
  readonly park: Park | null;
  /**
   * It was unparked lately and has backlog: a change that was captured just before may have been taken for
   * parked. Lately is a minute, or longer in a store that keeps no time of it.
   */
  readonly justFreed: boolean;
  /** Not before; null: at any time. */
  readonly retryAt: Date | null;
  /** Transient failures in a row. */
  readonly failures: number;
}

/**
 * The right to work on a lane. `token` grows with every lease: what a former holder still writes is refused
 * by it.
 */
export interface Lease {
  readonly did: string;
  readonly token: number;
  /**
   * When the lease ends, by this process's monotonic clock (`performance.now()`), measured from before it was
   * asked for.
   */
  readonly endsAt: number;
}

/** A lane as a worker meets it that wants to work on it. */
export interface EnteredLane {
  readonly lane: Lane;
  /** null: the lane is parked, or backs off, or another worker has it. */
  readonly lease: Lease | null;
  /** What is pending at the addresses that the worker asked for; empty without a lease. */
  readonly entries: readonly PendingEntry[];
  /** What is remembered of the repository (null: nothing); undefined: it is not kept with the lane. */
  readonly state: RepositoryState | null | undefined;
}

/**
 * What becomes of a lane that is given back. Whatever it is, a wake while it was leased makes it ready,
 * unless it backs off.
 * - `asleep`: all that was due was tried; what is left has failed, and trying it again at once would only
 *   spend its attempts.
 * - `as-before`: its holder saw to something of its own only.
 * - `ready`: more is due.
 * - `retryAt`: nothing of it is tried before.
 * - `backfillAt`: no backfill of it is tried before; nothing else is due.
 */
export type LaneNext =
  'asleep' | 'as-before' | 'ready' | { readonly retryAt: Date } | { readonly backfillAt: Date };

/** What becomes of a lane that is given back. */
export interface LaneAfter {
  readonly next: LaneNext;
  /** Transient failures in a row. */
  readonly failures: number;
  /**
   * One entry is to be tried again by then: the lane becomes ready, and stays open for everything else
   * meanwhile.
   */
  readonly wakeAt?: Date | undefined;
}

/** An entry that is done with, as of a version. */
export interface SettledEntry {
  readonly uri: string;
  readonly version: number;
  /** What is there now; null for no record. */
  readonly cid: string | null;
  /**
   * Whatever is there was left alone, unseen: `cid` is what was known of it before, and an earlier request
   * may have changed it.
   */
  readonly asIs?: boolean;
  /** It is pending all the same: only its `cid` is known by now. */
  readonly stays?: boolean;
}

/** What is settled together with rows of the application. */
export interface Settlement {
  readonly done: readonly SettledEntry[];
  /** What is to be remembered of the repository; undefined: what is remembered stays. */
  readonly state: RepositoryState | undefined;
  /**
   * The worker does nothing more under its lease: the lane is given back, `as-before` and without failures,
   * in the write that settles.
   */
  readonly isLast: boolean;
}

/** How a try of one entry failed. */
export interface FailedAttempt {
  readonly uri: string;
  readonly version: number;
  readonly error: string;
  /** The record itself failed, which counts against `maxAttempts`. */
  readonly countsAttempt: boolean;
  /** Not tried again before the account has another session (a scope is missing). */
  readonly needsSession: boolean;
}

export interface Discarded {
  readonly sync: PendingSync;
  readonly reason: string;
}
