import type { DataSource } from 'typeorm';
import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { databaseOAuthStores } from './database/database-oauth-stores.js';
import type { OAuthOptions } from './oauth-options.js';

/**
 * The options with the stores that `oauth.storage` asks for.
 *
 * @param dataSourceOf finds the application's DataSource by its name; called when a session is first needed
 * @throws ParityOptionsError that names the option, what it got and what it takes
 */
export function withStorage(options: OAuthOptions, dataSourceOf: (name: string) => DataSource): OAuthOptions {
  const { storage } = options;
  if (storage === undefined) return options;
  if (storage?.kind !== 'database') {
    throw new ParityOptionsError(
      `oauth.storage takes { kind: 'database', encryptionKeys }, got the kind ${JSON.stringify(storage?.kind)}.`,
    );
  }
  for (const name of ['stateStore', 'sessionStore', 'requestLock'] as const) {
    if (options[name] === undefined) continue;
    throw new ParityOptionsError(
      `Both oauth.storage and oauth.${name} are given: storage brings both stores and the lock.`,
    );
  }
  const { kind: _kind, dataSource = 'default', ...rest } = storage;
  return { ...options, ...databaseOAuthStores(() => dataSourceOf(dataSource), rest) };
}
