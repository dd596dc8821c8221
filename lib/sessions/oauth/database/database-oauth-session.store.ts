import type { NodeSavedSession } from '@atproto/oauth-client-node';
import type { Cipher } from '../encryption/cipher.js';
import type { OAuthSessionStore } from '../oauth-options.js';
import type { OAuthConnection } from './oauth-connection.js';
import { OAUTH_SESSION } from './oauth-tables.js';

/** Sessions by DID, encrypted, without an end of their own. */
export class DatabaseOAuthSessionStore implements OAuthSessionStore {
  readonly volatile = false;

  constructor(
    private readonly connection: OAuthConnection,
    private readonly cipher: Cipher,
  ) {}

  async get(did: string): Promise<NodeSavedSession | undefined> {
    const [row] = await this.connection.read(
      `SELECT value FROM ${this.connection.table(OAUTH_SESSION)} WHERE did = ?`,
      [did],
    );
    return row && (this.cipher.open('session', did, JSON.parse(String(row['value']))) as NodeSavedSession);
  }

  async set(did: string, session: NodeSavedSession): Promise<void> {
    const { connection } = this;
    const value = JSON.stringify(this.cipher.seal('session', did, session));
    const conflict =
      connection.dialect === 'mysql' ? 'ON DUPLICATE KEY UPDATE' : 'ON CONFLICT (did) DO UPDATE SET';
    await connection.write(
      `INSERT INTO ${connection.table(OAUTH_SESSION)} (did, value, updated_at) VALUES (?, ?, $now) ` +
        `${conflict} value = ?, updated_at = $now`,
      [did, value, value],
    );
  }

  async del(did: string): Promise<void> {
    await this.connection.write(`DELETE FROM ${this.connection.table(OAUTH_SESSION)} WHERE did = ?`, [did]);
  }
}
