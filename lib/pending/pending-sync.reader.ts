import type { PendingSync } from '../model/pending-sync.js';
import type { DeadLetterStore } from './dead-letter.js';
import type { PendingStats, PendingView, WrittenAddress } from './pending-views.js';

/** Port to what is pending, for those who look at it. */
export interface PendingSyncReader {
  /** The pending syncs of an account, oldest first; empty if there are none. */
  forDid(did: string): Promise<PendingSync[]>;

  countForDid(did: string): Promise<number>;

  hasForDid(did: string): Promise<boolean>;

  /** null if there is none of this id. */
  find(id: string): Promise<PendingSync | null>;

  /** What is kept of an at-uri: its pending sync, or else its dead letter. null: nothing. */
  inspect(uri: string): Promise<PendingView | null>;

  /** Of all accounts, or of those that this process knows if the store cannot count. */
  stats(): Promise<PendingStats>;

  /**
   * The next addresses, in an order of their own, of a class that have a record and nothing pending. Empty:
   * no more, or a store that forgets what is done.
   *
   * - An address whose record is kept on purpose is left out.
   *
   * @param after the last one of the page before; null: the first page
   */
  written(
    entityName: string,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<WrittenAddress[]>;

  /** What was given up. A store that forgets it has none, ever. */
  readonly deadLetters: DeadLetterStore;
}
