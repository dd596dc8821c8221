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
  /** For `after`; null if there are no more. */
  readonly next: string | null;
}

export interface DeadLetterQuery {
  /** Only letters of this account. */
  readonly did?: string;
  /** Letters in a page. Default 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
}

/**
 * Pending syncs that were given up. A dead letter is kept until it is requeued, purged, or its address is
 * captured again.
 */
export interface DeadLetterStore {
  /** The list is empty if there are none. */
  list(query?: DeadLetterQuery): Promise<DeadLetterPage>;
  /**
   * Turns a dead letter into a pending sync again, with all its attempts, and wakes its lane.
   *
   * @returns false if there is none of this id
   */
  requeue(id: string): Promise<boolean>;
  /**
   * Deletes dead letters that were given up before `olderThan`.
   *
   * @returns how many
   */
  purge(olderThan: Date): Promise<number>;
}

/** For a store that forgets what it gives up. */
export const NO_DEAD_LETTERS: DeadLetterStore = {
  list: async () => ({ letters: [], next: null }),
  requeue: async () => false,
  purge: async () => 0,
};
