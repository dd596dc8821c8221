import type { Leases } from '../lease-lock.js';
import type { OAuthDatabase } from './oauth-database.js';
import { OAUTH_LOCK } from './oauth-tables.js';

/** Leases as rows, timed by the database's clock. */
export class DatabaseLeases implements Leases {
  constructor(private readonly database: OAuthDatabase) {}

  async tryAcquire(name: string, token: string, ttlMs: number): Promise<boolean> {
    const { database } = this;
    const table = database.table(OAUTH_LOCK);
    const expires = `$now + ${Math.round(ttlMs * 1_000)}`;
    // Only an account's first lease has no row yet. The row decides: of two processes that try, one finds it
    // expired.
    const taken = await database.write(
      `UPDATE ${table} SET token = $1, expires_at = ${expires} WHERE name = $2 AND expires_at <= $now`,
      [token, name],
    );
    if (taken > 0) return true;
    const made = await database.write(
      database.dialect.insertIfAbsent(
        `${table} (name, token, expires_at) VALUES ($1, $2, ${expires})`,
        'name',
      ),
      [name, token],
    );
    return made > 0;
  }

  /** Keeps the row: MySQL sees deadlocks where a row is deleted while other processes wait to insert it. */
  async release(name: string, token: string): Promise<void> {
    await this.database.write(
      `UPDATE ${this.database.table(OAUTH_LOCK)} SET expires_at = $now WHERE name = $1 AND token = $2`,
      [name, token],
    );
  }
}
