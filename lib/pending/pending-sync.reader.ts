import type { PendingSync } from '../model/pending-sync.js';
import type { DeadLetterStore } from './dead-letter.js';
import type { PendingStats, PendingView, WrittenAddress } from './pending-views.js';

/** Port to what is pending, for the callers that only read. */
export interface PendingSyncReader {
  /** The pending syncs of an account, oldest first; empty if there are none. */
  forDid(did: string): Promise<PendingSync[]>;

  countForDid(did: string): Promise<number>;

  hasForDid(did: string): Promise<boolean>;

  /** Null if there is none of this id. */
  find(id: string): Promise<PendingSync | null>;

  /** What is kept for an at-uri: its pending sync, or else its dead letter; null for nothing. */
  inspect(uri: string): Promise<PendingView | null>;

  /**
   * Counts over all accounts. A store that cannot count those covers the accounts that this process knows.
   */
  stats(): Promise<PendingStats>;

  /**
   * The next page of addresses of a class that have a record and nothing pending, in the store's own order.
   * Empty if there are no more, or if the store forgets what is done.
   *
   * - An address whose record is kept on purpose is left out, and so is one whose record the mapper did not
   *   want.
   *
   * @param after the last address of the page before; null for the first page
   */
  written(
    entityName: string,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<WrittenAddress[]>;

  /** The dead letters. A store that forgets what it gives up never has any. */
  readonly deadLetters: DeadLetterStore;
}
