import type { QueryRunner } from 'typeorm';
import type { Address } from '../model/address.js';
import type { RecordJson } from '../model/evidence.js';
import type { Repository } from './repository.store.js';

/** What the ledger knows of an address when something is learned of it. */
export interface KnownAddress {
  readonly address: Address;
  /** The stored name of the class that claims the address. */
  readonly entityName: string;
  /** '' for a record that the mapper did not want. */
  readonly entityId: string;
  /** The CID on which row and repository agreed last; null for no record. */
  readonly cid: string | null;
  /** The revision as of which the repository is known here; null for none. */
  readonly rev: string | null;
  /** See {@link AdmittedAddress.mapped}. */
  readonly mapped: string | null;
  readonly foreign: RecordJson | null;
  readonly base: RecordJson | null;
  /** A local change waits to be published, or was given up. */
  readonly isDirty: boolean;
  /** The local change is that the record should go. */
  readonly isLeaving: boolean;
  /** A conflict is open here. */
  readonly inConflict: boolean;
  /** When the local change was made, by the database's clock, in ms since 1970. */
  readonly changedAt: number;
}

/**
 * What becomes of an address.
 * - `clean`: row and repository agree. A local change that waited is dropped.
 * - `seen`: only the revision moves.
 * - `dirty`: the local change goes on, on top of `cid`, with all its attempts. Its lane has to be woken.
 * - `conflict`: the local change is held until the conflict is resolved.
 *
 * An attempt that has begun before an address became `clean`, `dirty` or in `conflict` settles nothing there.
 */
export type Admitted = 'clean' | 'seen' | 'dirty' | 'conflict';

export interface AdmittedAddress {
  readonly address: Address;
  readonly outcome: Admitted;
  /**
   * {@link InboundLedger.at} has found no row here. If the application creates one meanwhile, it has a change
   * of its own, which must not be taken for a known one.
   */
  readonly isNew: boolean;
  /** A revision that is older than the known one leaves the known one. */
  readonly rev: string;
  /** The fields below are of no interest where the address is only `seen` or in `conflict`. */
  readonly entityName: string;
  readonly entityId: string;
  readonly cid: string | null;
  /**
   * The CID of the record that the mapper makes of the entity, where that is not `cid`: it cannot reproduce
   * the record, which must not be rewritten because of that.
   */
  readonly mapped: string | null;
  /** The fields of other applications, which every update keeps. */
  readonly foreign: RecordJson | null;
  /** The record as agreed on, for classes that merge. */
  readonly base: RecordJson | null;
}

/** A record that was not taken over, or a conflict that somebody has to resolve. At most one per address. */
export interface InboundIssue {
  readonly address: Address;
  readonly kind: 'rejected' | 'conflict';
  readonly entityName: string;
  readonly entityId: string;
  readonly rev: string;
  /** Null for a deletion. */
  readonly cid: string | null;
  /** As it is in the repository. */
  readonly record: RecordJson | null;
  /** As it would be published; null for a deletion, and where the record was rejected. */
  readonly local: RecordJson | null;
  readonly reason: string;
  readonly createdAt: Date;
}

/**
 * Port to the ledger for what is learned of repositories. All methods with a `runner` run in its open
 * transaction, which also writes the rows.
 *
 * - One admission per account at a time: {@link lock} makes others wait until the transaction ends.
 * - Locks are taken in the order entity, ledger, lane. Nothing here waits for a transaction of the
 *   application.
 * - In a transaction that reads a snapshot (MariaDB), {@link lock} comes before the first read: what was
 *   committed before is then seen.
 */
export interface InboundLedger {
  /** Locks the accounts for this transaction, in the order of their DIDs. Accounts may be unknown. */
  lock(dids: readonly string[], runner: QueryRunner): Promise<void>;

  /** By DID, what is known of accounts as a whole. Accounts of which nothing is known are left out. */
  accounts(
    dids: readonly string[],
    runner: QueryRunner,
  ): Promise<ReadonlyMap<string, Pick<Repository, 'status' | 'rev' | 'collections'>>>;

  /**
   * The ledger rows at these addresses, locked. An address without a row is in neither part.
   *
   * @returns `held`: at-uris of rows that another transaction holds
   */
  at(
    addresses: readonly Address[],
    runner: QueryRunner,
  ): Promise<{ readonly known: ReadonlyMap<string, KnownAddress>; readonly held: ReadonlySet<string> }>;

  /**
   * By at-uri, the CIDs that requests of ours with an unknown outcome may have written (null: deleted). Read
   * before {@link at}: what is settled in between is then seen there. The other way round it would be seen in
   * neither, because a settlement skips the rows that `at` has locked.
   */
  inFlight(
    dids: readonly string[],
    runner: QueryRunner,
  ): Promise<ReadonlyMap<string, ReadonlySet<string | null>>>;

  /**
   * Writes what became of addresses: one statement for new rows and one for known ones, whatever their
   * number.
   *
   * @throws RetryLaterError if a row that is new to the caller exists by now, or is being created. The
   *   transaction has to be rolled back, and can be repeated at once
   */
  admit(addresses: readonly AdmittedAddress[], runner: QueryRunner): Promise<void>;

  /** Keeps issues; each replaces the issue of its address. */
  keepIssues(issues: readonly Omit<InboundIssue, 'createdAt'>[], runner: QueryRunner): Promise<void>;

  /** Removes the issues of these addresses, if there are any. */
  removeIssues(addresses: readonly Address[], runner: QueryRunner): Promise<void>;

  /**
   * The addresses of an account in a collection that have a record as far as the ledger knows, and those with
   * a change that waits, in the byte order of their keys.
   *
   * @param page.after the last record key of the page before; '' for the first page
   */
  addresses(
    did: string,
    collection: string,
    page: { readonly after: string; readonly limit: number },
  ): Promise<KnownAddress[]>;

  /** Issues, oldest first; the next page begins after the last of this one. */
  issues(query: {
    readonly kind: InboundIssue['kind'];
    readonly did?: string | undefined;
    readonly after?: InboundIssue | undefined;
    readonly limit: number;
  }): Promise<InboundIssue[]>;

  /** The issue of an address; null if there is none. */
  issue(address: Address): Promise<InboundIssue | null>;
}
