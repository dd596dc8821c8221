import { checkNames } from '../model/option-checks.js';
import type { DeadLetterPage, DeadLetterQuery, DeadLetterStore } from '../pending/dead-letter.js';

export interface DeadLetterDeskConfig {
  readonly letters: DeadLetterStore;
  /** There is work for the lane loop; not waited for. */
  readonly notify: () => void;
}

/**
 * What was given up, and what can be done about it. With database storage only: with 'cache', or without
 * pending syncs, there never are any, `requeue` says false and `purge` 0.
 */
export class DeadLettersService implements DeadLetterStore {
  constructor(private readonly config: DeadLetterDeskConfig) {}

  /** Oldest first. */
  async list(query: DeadLetterQuery = {}): Promise<DeadLetterPage> {
    checkNames<DeadLetterQuery>('deadLetters.list()', query, { did: true, limit: true, after: true });
    return this.config.letters.list(query);
  }

  /** Tries one again, with all its attempts; `id` is that of its pending sync. False if there is none. */
  async requeue(id: string): Promise<boolean> {
    const found = await this.config.letters.requeue(id);
    if (found) this.config.notify();
    return found;
  }

  /** Forgets what was given up before a date; its records stay as they are. Returns how many. */
  purge(olderThan: Date): Promise<number> {
    return this.config.letters.purge(olderThan);
  }
}
