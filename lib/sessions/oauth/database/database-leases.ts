import type { Leases } from '../lease-lock.js';
import type { OAuthConnection } from './oauth-connection.js';
import { OAUTH_LOCK } from './oauth-tables.js';

/** Leases as rows, timed by the database's clock. */
export class DatabaseLeases implements Leases {
  constructor(private readonly connection: OAuthConnection) {}

  async tryAcquire(name: string, token: string, ttlMs: number): Promise<boolean> {
    const { connection } = this;
    const table = connection.table(OAUTH_LOCK);
    const expires = `$now + ${Math.round(ttlMs * 1_000)}`;
    // First what is true of all leases but an account's first. The row decides: of two who try, one finds it expired.
    const taken = await connection.write(
      `UPDATE ${table} SET token = ?, expires_at = ${expires} WHERE name = ? AND expires_at <= $now`,
      [token, name],
    );
    if (taken > 0) return true;
    const [ignore, conflict] =
      connection.dialect === 'mysql' ? ['IGNORE ', ''] : ['', ' ON CONFLICT (name) DO NOTHING'];
    const made = await connection.write(
      `INSERT ${ignore}INTO ${table} (name, token, expires_at) VALUES (?, ?, ${expires})${conflict}`,
      [name, token],
    );
    return made > 0;
  }

  /** The row stays, since deleting it under those who wait to insert it is what makes MySQL see deadlocks. */
  async release(name: string, token: string): Promise<void> {
    await this.connection.write(
      `UPDATE ${this.connection.table(OAUTH_LOCK)} SET expires_at = $now WHERE name = ? AND token = ?`,
      [name, token],
    );
  }
}
