import type { OAuthConnection } from './oauth-connection.js';
import { OAUTH_LOCK, OAUTH_STATE } from './oauth-tables.js';

const HOUR = 3_600_000_000;
/** The least time between two cleanups of a process, in ms. */
const INTERVAL = 60_000;
/** Rows that one cleanup removes from a table. */
const BATCH = 500;

/** Removes abandoned sign-ins and the leases of yesterday: at most 500 of each a minute, in passing, and never in anybody's way. */
export class OAuthCleanup {
  #last = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(private readonly connection: OAuthConnection) {}

  /** To be called when there may be something to do; does not wait, and never throws. */
  nudge(): void {
    if (Date.now() - this.#last < INTERVAL) return;
    this.#last = Date.now();
    // What is left over is found by the next one.
    this.#running = this.run().catch(() => undefined);
  }

  async run(): Promise<number> {
    return (
      (await this.#remove(OAUTH_STATE, 'id', `created_at <= $now - ${HOUR}`)) +
      (await this.#remove(OAUTH_LOCK, 'name', `expires_at <= $now - ${24 * HOUR}`))
    );
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  #remove(name: typeof OAUTH_STATE | typeof OAUTH_LOCK, key: string, where: string): Promise<number> {
    const table = this.connection.table(name);
    return this.connection.write(
      this.connection.dialect === 'mysql'
        ? `DELETE FROM ${table} WHERE ${where} LIMIT ${BATCH}`
        : `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${where} LIMIT ${BATCH})`,
      [],
    );
  }
}
