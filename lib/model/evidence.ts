import type { Address } from './address.js';

/** How something was learned of a repository. */
export type EvidenceSource = 'import' | 'stream' | 'fetch' | 'audit' | 'read-back';

/** A record in its JSON form: `$link`, `$bytes` and blobs as the AT Protocol writes them in JSON. */
export type RecordJson = Readonly<Record<string, unknown>>;

/** What was learned of one address of a repository. */
export interface Evidence extends Address {
  /** The revision of the repository as of which it is known: a TID, in the order of the commits. */
  readonly rev: string;
  /** Null if there is no record. */
  readonly cid: string | null;
  /** Given with every CID, unless there is an `error`. */
  readonly record?: RecordJson | undefined;
  /** Why the record cannot be read. */
  readonly error?: Error | undefined;
  readonly source: EvidenceSource;
  /** Happened just now; false for what is found in an import. */
  readonly live: boolean;
}
