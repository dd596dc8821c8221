import { checkNames } from '../model/option-checks.js';
import type { DeadLetterPage, DeadLetterQuery, DeadLetterStore } from '../pending/dead-letter.js';

export interface DeadLetterDeskConfig {
  readonly letters: DeadLetterStore;
  /** Tells the lane loop that there is work, and does not wait for it. */
  readonly notify: () => void;
}

/**
 * Pending syncs that were given up, and what an operator can do with them. With database storage only: with
 * 'cache', or without pending syncs, there are never any, `requeue` returns false and `purge` returns 0.
 */
export class DeadLettersService implements DeadLetterStore {
  constructor(private readonly config: DeadLetterDeskConfig) {}

  /** Oldest first. */
  async list(query: DeadLetterQuery = {}): Promise<DeadLetterPage> {
    checkNames<DeadLetterQuery>('deadLetters.list()', query, { did: true, limit: true, after: true });
    return this.config.letters.list(query);
  }

  /**
   * Attempts a dead letter again, with all its attempts.
   *
   * @param id of its pending sync
   * @returns false if there is none
   */
  async requeue(id: string): Promise<boolean> {
    const found = await this.config.letters.requeue(id);
    if (found) this.config.notify();
    return found;
  }

  /**
   * Deletes dead letters that were given up before a date. Their records stay as they are.
   *
   * @returns how many
   */
  purge(olderThan: Date): Promise<number> {
    return this.config.letters.purge(olderThan);
  }
}
