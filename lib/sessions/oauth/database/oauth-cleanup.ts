import type { OAuthDatabase } from './oauth-database.js';
import { OAUTH_LOCK, OAUTH_STATE } from './oauth-tables.js';

const HOUR = 3_600_000_000;
/** The least time between two cleanups of a process, in ms. */
const INTERVAL = 60_000;
/** Rows that one cleanup removes from a table. */
const BATCH = 500;

/** Removes abandoned sign-ins and the leases of yesterday in the background: at most 500 of each a minute. */
export class OAuthCleanup {
  #last = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(private readonly database: OAuthDatabase) {}

  /** Begins a cleanup, unless there was one within the last minute. Does not wait, and never throws. */
  nudge(): void {
    if (Date.now() - this.#last < INTERVAL) return;
    this.#last = Date.now();
    // The next cleanup finds what this one left.
    this.#running = this.run().catch(() => undefined);
  }

  async run(): Promise<number> {
    return (
      (await this.#remove(OAUTH_STATE, 'id', `created_at <= $now - ${HOUR}`)) +
      (await this.#remove(OAUTH_LOCK, 'name', `expires_at <= $now - ${24 * HOUR}`))
    );
  }

  /** Resolves when no cleanup is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  #remove(name: typeof OAUTH_STATE | typeof OAUTH_LOCK, key: string, where: string): Promise<number> {
    const { database } = this;
    return database.write(database.dialect.deleteSome(database.table(name), key, where, BATCH), []);
  }
}
