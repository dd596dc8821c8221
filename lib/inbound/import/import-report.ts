import type { AccountStatus, ImportCounts } from '../../pending/repository.store.js';

/** What an import has done with the records of an account. */
export interface ImportReport extends ImportCounts {
  readonly did: string;
  /** Of the account; anything but 'active' means that nothing was read. */
  readonly status: AccountStatus;
  /** The revision that was read; null where nothing was. */
  readonly rev: string | null;
  /** The repository has not changed since it was imported, so its records were not read. */
  readonly isUnchanged: boolean;
  /** Nothing was written. */
  readonly dryRun: boolean;
}

/** The counts of an import that is under way. */
export interface ImportProgress extends ImportCounts {
  readonly did: string;
  /** Bytes of the repository that were downloaded. */
  readonly bytes: number;
}

export interface ImportOptions {
  /** NSIDs. Default: those of all mappers. */
  readonly collections?: readonly string[];
  /** Tells what an import would do, and writes nothing. Default false. */
  readonly dryRun?: boolean;
  /** Called while the repository is downloaded, and after each batch of records. */
  readonly onProgress?: (progress: ImportProgress) => void;
  /** Ends the import, with the signal's reason. What was written stays; the next import goes on. */
  readonly signal?: AbortSignal;
}

export const NO_COUNTS: ImportCounts = {
  created: 0,
  updated: 0,
  unchanged: 0,
  removed: 0,
  skipped: 0,
  rejected: 0,
  conflicted: 0,
};
