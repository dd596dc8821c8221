import type { NodeSavedState } from '@atproto/oauth-client-node';
import type { Cipher } from '../encryption/cipher.js';
import type { OAuthStateStore } from '../oauth-options.js';
import type { OAuthConnection } from './oauth-connection.js';
import { OAUTH_STATE } from './oauth-tables.js';

const HOUR = 3_600_000_000;

/** Sign-ins under way, encrypted; each ends by itself an hour after it began. */
export class DatabaseOAuthStateStore implements OAuthStateStore {
  readonly volatile = false;

  constructor(
    private readonly connection: OAuthConnection,
    private readonly cipher: Cipher,
    /** Told of each new entry. */
    private readonly added: () => void,
  ) {}

  async get(key: string): Promise<NodeSavedState | undefined> {
    const [row] = await this.connection.read(
      `SELECT value FROM ${this.connection.table(OAUTH_STATE)} WHERE id = ? AND created_at > $now - ${HOUR}`,
      [key],
    );
    return row && (this.cipher.open('state', key, JSON.parse(String(row['value']))) as NodeSavedState);
  }

  async set(key: string, state: NodeSavedState): Promise<void> {
    const value = JSON.stringify(this.cipher.seal('state', key, state));
    // The client makes a new random key for each sign-in.
    await this.connection.write(
      `INSERT INTO ${this.connection.table(OAUTH_STATE)} (id, value, created_at) VALUES (?, ?, $now)`,
      [key, value],
    );
    this.added();
  }

  async del(key: string): Promise<void> {
    await this.#delete(key);
  }

  /** The row decides: of two who delete it, one finds that it did. */
  async take(key: string): Promise<NodeSavedState | undefined> {
    const state = await this.get(key);
    return state && (await this.#delete(key)) > 0 ? state : undefined;
  }

  #delete(key: string): Promise<number> {
    return this.connection.write(`DELETE FROM ${this.connection.table(OAUTH_STATE)} WHERE id = ?`, [key]);
  }
}
