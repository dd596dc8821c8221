import type { NodeSavedSession } from '@atproto/oauth-client-node';
import type { Cipher } from '../encryption/cipher.js';
import type { OAuthSessionStore } from '../oauth-options.js';
import type { OAuthDatabase } from './oauth-database.js';
import { OAUTH_SESSION } from './oauth-tables.js';

/** Sessions by DID, encrypted; they do not expire by themselves. */
export class DatabaseOAuthSessionStore implements OAuthSessionStore {
  readonly volatile = false;

  constructor(
    private readonly database: OAuthDatabase,
    private readonly cipher: Cipher,
  ) {}

  async get(did: string): Promise<NodeSavedSession | undefined> {
    const [row] = await this.database.read(
      `SELECT value FROM ${this.database.table(OAUTH_SESSION)} WHERE did = $1`,
      [did],
    );
    return row && (this.cipher.open('session', did, JSON.parse(String(row['value']))) as NodeSavedSession);
  }

  async set(did: string, session: NodeSavedSession): Promise<void> {
    const { database } = this;
    const value = JSON.stringify(this.cipher.seal('session', did, session));
    await database.write(
      `INSERT INTO ${database.table(OAUTH_SESSION)} (did, value, updated_at) VALUES ($1, $2, $now) ` +
        `${database.dialect.upsert('did')} value = $2, updated_at = $now`,
      [did, value],
    );
  }

  async del(did: string): Promise<void> {
    await this.database.write(`DELETE FROM ${this.database.table(OAUTH_SESSION)} WHERE did = $1`, [did]);
  }
}
