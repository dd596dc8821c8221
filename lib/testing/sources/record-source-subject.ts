import type { RecordSource } from '../../inbound/sources/record-source.js';
import type { RecordJson } from '../../model/evidence.js';

/** What can be done to the service behind a source, beside writing. */
export type SourceFault = 'drop' | 'close' | 'garbage' | 'forget' | 'flood';

/** A source, and the service that it follows. Every case asks for a fresh one. */
export interface RecordSourceSubject extends AsyncDisposable {
  readonly source: RecordSource;
  /** The account that the cases write as, and a collection that any record fits into. */
  readonly did: string;
  readonly collection: string;
  /**
   * Writes a record, or deletes it.
   *
   * @returns the revision of the commit, and the CID; null after a deletion
   */
  write(rkey: string, record: RecordJson | null): Promise<{ rev: string; cid: string | null }>;
  /** Deactivates the account, or activates it. Without it the case of account events is left out. */
  setActive?(isActive: boolean): Promise<void>;
  /** Breaks the source's connections, without a word. */
  drop?(): Promise<void> | void;
  /** Closes the source's connections in good order, with code 1000. */
  close?(): Promise<void> | void;
  /** Sends messages that nothing can read. */
  garbage?(): Promise<void> | void;
  /** Makes the service unable to go on after any position that it has told, and breaks the connections. */
  forget?(): Promise<void> | void;
  /**
   * Sends more than a source may read ahead, at least 48 MB.
   *
   * @returns whether the source made the service wait
   */
  flood?(): Promise<boolean>;
}

export type OpenSourceSubject = () => Promise<RecordSourceSubject>;

/** One rule of the port, as a test for any runner: it resolves, or rejects with an `AssertionError`. */
export interface RecordSourceCase {
  readonly name: string;
  readonly run: (open: OpenSourceSubject) => Promise<void>;
}
