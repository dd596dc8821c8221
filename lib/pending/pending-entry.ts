import { AccountInactiveError } from '../errors/account-inactive.error.js';
import type { ParityError } from '../errors/parity.error.js';
import type { Address } from '../model/address.js';
import type { RecordJson } from '../model/evidence.js';
import type { PendingSync, SyncOperation } from '../model/pending-sync.js';
import type { RepositoryState } from '../pds/repository-state.store.js';
import type { Trigger } from '../sync/change.js';

/**
 * A change as a store keeps it. It says where to look, and what cannot be found out later. It never says what
 * to write.
 */
export interface PendingChange {
  readonly address: Address;
  /** The stored name of the class: `SyncedEntity.storedName`. */
  readonly entityName: string;
  readonly entityId: string;
  /** What was due when the change was made. */
  readonly operation: SyncOperation;
  /** Why the change is synced: the entity's life, or a request of the application by hand. */
  readonly trigger: Trigger;
  /**
   * The record's CID as the row knew it when the change was made, for an address that no row remembers any
   * more.
   */
  readonly cid: string | null;
  /** `shouldAutoUnsync` returned false when the row was removed. */
  readonly keepRecord: boolean;
  /**
   * The entity gave the address up, because its row is gone or its record has moved. An entity that already
   * claims the address goes on claiming it.
   */
  readonly givenUp: boolean;
  /** The row is gone, and no other row can hold the address. What is left to do needs no entity class. */
  readonly orphaned: boolean;
  /**
   * A record may have to be deleted, though that is not known yet. Like an unpublish, such a change never
   * expires.
   */
  readonly mayDelete: boolean;
  /** Found by a reconciliation. Live changes come first. */
  readonly backfill: boolean;
}

/** A change as it is offered to a store. */
export interface OfferedChange extends PendingChange {
  /**
   * The entity asks for nothing beyond what its row knows: the record that `cid` names, or no record if there
   * is no `cid`. There is nothing to do if that record is what was settled there last, or if nothing was ever
   * kept at an address without one. Otherwise the change has to be kept.
   */
  readonly unlessSettled?: boolean;
}

/** One pending sync, with what the stores and the lane worker need to know of it. */
export interface PendingEntry extends PendingChange {
  readonly sync: PendingSync;
  /** Raised by each capture of the address, and never reused. An entry is settled as of a version. */
  readonly version: number;
  /** The fields of other applications in the record, which every update keeps; null for none. */
  readonly foreign: RecordJson | null;
  /**
   * The CID of the record that the mapper makes of the entity, where the record in the repository is another
   * one, which it cannot reproduce. Only a change of the entity rewrites that record.
   */
  readonly mapped: string | null;
  /** A conflict is open here. The entry is not due until it is resolved. */
  readonly inConflict: boolean;
}

/** Why the entries of a lane are not attempted. */
export interface Park {
  /** For operators; contains no token. */
  readonly reason: string;
  /**
   * The session that failed (`SessionProvider.sessionId`). A newer session voids the park. Null if the
   * provider names none.
   */
  readonly sessionId: string | null;
  /** Tells what parked the lane, so that callers that meet the park get the same error; see `parkCodeOf`. */
  readonly code: string;
}

/** The code of a park that ends when the account is active again. No sign-in ends it. */
export const ACCOUNT_INACTIVE = 'ACCOUNT_INACTIVE';

/** The code of a park, of the error that made it. */
export const parkCodeOf = (error: ParityError): string =>
  error instanceof AccountInactiveError ? ACCOUNT_INACTIVE : error.code;

export interface Lane {
  readonly did: string;
  readonly park: Park | null;
  /**
   * The lane was unparked lately and has backlog, so a change that was captured just before may have been
   * taken for a parked one. Lately means a minute, or longer in a store that does not keep the time.
   */
  readonly justFreed: boolean;
  /** When the lane may be attempted again; null for at any time. */
  readonly retryAt: Date | null;
  /** Transient failures in a row. */
  readonly failures: number;
}

/**
 * The right to work on a lane. It is lost once the lane is given back, or another worker has taken it. Its
 * `token` grows with every lease, so that a store can refuse what a former holder still writes.
 */
export interface Lease {
  readonly did: string;
  readonly token: number;
  /**
   * When the lease ends, by this process's monotonic clock (`performance.now()`), measured from before it was
   * requested.
   */
  readonly endsAt: number;
}

/** A lane as a worker gets it that wants to work on it. */
export interface EnteredLane {
  readonly lane: Lane;
  /** Null if the lane is parked, backs off, or another worker has it. */
  readonly lease: Lease | null;
  /** The pending entries at the addresses that the worker asked for; empty without a lease. */
  readonly entries: readonly PendingEntry[];
  /** What is remembered of the repository; null for nothing. Undefined if it is not kept with the lane. */
  readonly state: RepositoryState | null | undefined;
}

/**
 * What becomes of a lane that is given back. In each case, a wake while the lane was leased makes it ready,
 * unless it backs off.
 * - `asleep`: every due entry was attempted. What is left has failed, and attempting it again at once would
 *   only use up its attempts.
 * - `as-before`: the holder of the lease worked on changes of its own only.
 * - `ready`: more is due.
 * - `retryAt`: no entry is attempted before that time.
 * - `backfillAt`: no backfill is attempted before that time; nothing else is due.
 */
export type LaneNext =
  'asleep' | 'as-before' | 'ready' | { readonly retryAt: Date } | { readonly backfillAt: Date };

/** What becomes of a lane that is given back. */
export interface LaneAfter {
  readonly next: LaneNext;
  /** Transient failures in a row. */
  readonly failures: number;
  /**
   * One entry is to be attempted again by then. The lane becomes ready at that time, and stays open for all
   * other work meanwhile.
   */
  readonly wakeAt?: Date | undefined;
}

/** An entry that is done, as of a version. */
export interface SettledEntry {
  readonly uri: string;
  readonly version: number;
  /** The CID of the record that is there now; null for no record. */
  readonly cid: string | null;
  /**
   * Whatever is at the address was left as it is, without looking. `cid` is what was known of it before, and
   * an earlier request may have changed it.
   */
  readonly asIs?: boolean;
  /** The entry stays pending: only its `cid` is known by now. */
  readonly stays?: boolean;
  /**
   * The revision of the commit that made it so, or as of which it was found so. Left out if none is known.
   * What was learned of a later revision meanwhile stays, unless the version is still the same.
   */
  readonly rev?: string | undefined;
  /** The record as agreed on, for classes that merge. Left out, the one that is kept stays. */
  readonly base?: RecordJson | undefined;
}

/** What is settled together with rows of the application. */
export interface Settlement {
  readonly done: readonly SettledEntry[];
  /** What is to be remembered of the repository; undefined leaves that as it is. */
  readonly state: RepositoryState | undefined;
  /**
   * The worker does nothing more under its lease, so the write that settles also gives the lane back,
   * `as-before` and without failures.
   */
  readonly isLast: boolean;
}

/** A failed attempt on one entry. */
export interface FailedAttempt {
  readonly uri: string;
  readonly version: number;
  readonly error: string;
  /** The record itself failed, which counts against `maxAttempts`. */
  readonly countsAttempt: boolean;
  /** The entry is not attempted again before the account has another session, because a scope is missing. */
  readonly needsSession: boolean;
}

export interface Discarded {
  readonly sync: PendingSync;
  readonly reason: string;
}
