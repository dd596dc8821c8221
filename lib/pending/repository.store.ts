import type { QueryRunner } from 'typeorm';

/**
 * What is known of an account. 'rewound': its repository went back to an earlier revision (a PDS was restored
 * from a backup), so nothing more is taken over from it.
 */
export type AccountStatus = 'active' | 'deactivated' | 'suspended' | 'takendown' | 'deleted' | 'rewound';

/** Numbers of addresses by what an import did with them. */
export interface ImportCounts {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly removed: number;
  readonly skipped: number;
  readonly rejected: number;
  readonly conflicted: number;
}

export interface Repository {
  readonly did: string;
  /** The account has, or had, a session here. Only such an account gets a lane. */
  readonly isOurs: boolean;
  readonly status: AccountStatus;
  readonly handle: string | null;
  /** The URL of its PDS. */
  readonly pds: string | null;
  /** The revision that was imported whole; null for none. */
  readonly rev: string | null;
  /** The collections that were imported as of `rev`. */
  readonly collections: readonly string[];
  readonly importedAt: Date | null;
  /** When the next import is due; null for none. */
  readonly importAt: Date | null;
  readonly counts: ImportCounts | null;
  readonly lastError: string | null;
  /** Failed imports in a row. */
  readonly failures: number;
}

/** The right to import an account; lost when it has ended and another process has taken it. */
export interface ImportLease {
  readonly did: string;
  readonly token: number;
}

/** Port to what is known of accounts, of which there is one row each. Times are of the database's clock. */
export interface RepositoryStore {
  /** Null for an account that nothing is known of. */
  find(did: string): Promise<Repository | null>;

  /** The DIDs of our accounts: those that have signed in, or were published for. */
  ours(): Promise<string[]>;

  /** A session of the account has begun. Creates its row. An import becomes due where `importAt` says so. */
  signedIn(did: string, options: { readonly importDue: boolean }): Promise<void>;

  /** Makes an import due now: of these accounts, or of all that were imported before or are ours. */
  importDue(dids: readonly string[] | 'all', runner?: QueryRunner): Promise<void>;

  /** DIDs whose import is due and leased by no process, longest waiting first. */
  dueImports(limit: number): Promise<string[]>;

  /** Leases the account for an import; creates its row. Null while another process has it. */
  leaseImport(did: string, milliseconds: number): Promise<ImportLease | null>;

  /** False if the lease is lost. */
  extendImport(lease: ImportLease, milliseconds: number): Promise<boolean>;

  /**
   * Ends an import and gives the lease back. An import that became due meanwhile stays due.
   *
   * @param outcome.rev null where not all of the repository was imported
   *
   * @returns false, with nothing written, if the lease is lost
   */
  endImport(
    lease: ImportLease,
    outcome:
      | {
          readonly rev: string | null;
          readonly collections: readonly string[];
          readonly counts: ImportCounts;
        }
      | { readonly error: string; readonly retryAt: Date | null },
  ): Promise<boolean>;

  /** Forgets what was imported, so that the next import looks at everything again. */
  resetImport(did: string): Promise<void>;

  /** Changes what is known of an account; creates its row. */
  update(
    did: string,
    change: Partial<Pick<Repository, 'status' | 'handle' | 'pds'>>,
    runner?: QueryRunner,
  ): Promise<void>;
}

/** The right to read a source; see `ImportLease`. */
export interface SourceLease {
  readonly name: string;
  readonly token: number;
}

/** Port to the positions of sources. One process reads a source at a time, by lease. */
export interface SourceCursorStore {
  /** Null while another process reads the source. */
  lease(name: string, milliseconds: number): Promise<SourceLease | null>;

  /** False if the lease is lost. */
  extend(lease: SourceLease, milliseconds: number): Promise<boolean>;

  release(lease: SourceLease): Promise<void>;

  /** The position after the last acknowledged batch; null for none. */
  cursor(name: string): Promise<{ readonly cursor: string | null; readonly at: Date | null }>;

  /**
   * Keeps the position, in the transaction that commits the effects of its batch.
   *
   * @throws LeaseLostError if another process reads the source by now
   */
  keep(lease: SourceLease, cursor: string, runner: QueryRunner): Promise<void>;
}
