import type { PendingSync } from '../model/pending-sync.js';

/** A pending sync that was given up. */
export interface DeadLetter {
  readonly sync: PendingSync;
  readonly reason: string;
  /** ISO 8601. */
  readonly diedAt: string;
}

export interface DeadLetterPage {
  /** Oldest first. */
  readonly letters: DeadLetter[];
  /** For `after`; null: there are no more. */
  readonly next: string | null;
}

export interface DeadLetterQuery {
  /** Of this account only. */
  readonly did?: string;
  /** Letters in a page. Default 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
}

/** What was given up: kept until it is requeued, purged, or its address is captured again. */
export interface DeadLetterStore {
  /** Empty: there are none. */
  list(query?: DeadLetterQuery): Promise<DeadLetterPage>;
  /**
   * Makes a pending sync of it again, with all its attempts, and wakes its lane. False if there is none of
   * this id.
   */
  requeue(id: string): Promise<boolean>;
  /** Forgets those that were given up before `olderThan`. Returns how many. */
  purge(olderThan: Date): Promise<number>;
}

/** Of a store that forgets what it gives up. */
export const NO_DEAD_LETTERS: DeadLetterStore = {
  list: async () => ({ letters: [], next: null }),
  requeue: async () => false,
  purge: async () => 0,
};
