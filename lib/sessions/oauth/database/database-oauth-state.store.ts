import type { NodeSavedState } from '@atproto/oauth-client-node';
import type { Cipher } from '../encryption/cipher.js';
import type { OAuthStateStore } from '../oauth-options.js';
import type { OAuthDatabase } from './oauth-database.js';
import { OAUTH_STATE } from './oauth-tables.js';

const HOUR = 3_600_000_000;

/** Sign-ins under way, encrypted; each expires an hour after it began. */
export class DatabaseOAuthStateStore implements OAuthStateStore {
  readonly volatile = false;

  constructor(
    private readonly database: OAuthDatabase,
    private readonly cipher: Cipher,
    /** Called after each new entry. */
    private readonly added: () => void,
  ) {}

  async get(key: string): Promise<NodeSavedState | undefined> {
    const [row] = await this.database.read(
      `SELECT value FROM ${this.database.table(OAUTH_STATE)} WHERE id = $1 AND created_at > $now - ${HOUR}`,
      [key],
    );
    return row && (this.cipher.open('state', key, JSON.parse(String(row['value']))) as NodeSavedState);
  }

  async set(key: string, state: NodeSavedState): Promise<void> {
    const value = JSON.stringify(this.cipher.seal('state', key, state));
    // The client makes a new random key for each sign-in.
    await this.database.write(
      `INSERT INTO ${this.database.table(OAUTH_STATE)} (id, value, created_at) VALUES ($1, $2, $now)`,
      [key, value],
    );
    this.added();
  }

  async del(key: string): Promise<void> {
    await this.#delete(key);
  }

  /** The row decides: of two callers that delete it, one is told that it did. */
  async take(key: string): Promise<NodeSavedState | undefined> {
    const state = await this.get(key);
    return state && (await this.#delete(key)) > 0 ? state : undefined;
  }

  #delete(key: string): Promise<number> {
    return this.database.write(`DELETE FROM ${this.database.table(OAUTH_STATE)} WHERE id = $1`, [key]);
  }
}
