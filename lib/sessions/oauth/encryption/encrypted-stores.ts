import type { NodeSavedSession, NodeSavedState } from '@atproto/oauth-client-node';
import { checkNames, type OptionNames } from '../../../model/option-checks.js';
import type { OAuthSessionStore, OAuthStateStore } from '../oauth-options.js';
import { Cipher, ENCRYPTION_NAMES, type EncryptionOptions, type Purpose } from './cipher.js';

export interface EncryptedStoresOptions extends EncryptionOptions {
  readonly stateStore: OAuthStateStore;
  readonly sessionStore: OAuthSessionStore;
}

const OPTION_NAMES: OptionNames<EncryptedStoresOptions> = {
  ...ENCRYPTION_NAMES,
  stateStore: true,
  sessionStore: true,
};

/**
 * The two stores of `oauth`, with encrypted contents (AES-256-GCM):
 *
 * ```ts
 * oauth: { clientMetadata, ...encryptedStores({ stateStore, sessionStore, encryptionKeys }) }
 * ```
 *
 * The stores get a JSON object with the properties `encrypted`, `kid`, `nonce` and `data` instead of the
 * session. `get` throws for a value that cannot be decrypted, so that a missing key does not make users count
 * as signed out.
 *
 * @throws ParityOptionsError for invalid keys, or a name that no option has
 */
export function encryptedStores(options: EncryptedStoresOptions): {
  readonly stateStore: OAuthStateStore;
  readonly sessionStore: OAuthSessionStore;
} {
  checkNames('encryptedStores()', options, OPTION_NAMES, true);
  const { stateStore, sessionStore, ...encryption } = options;
  const cipher = new Cipher(encryption);
  return {
    stateStore: encrypted<NodeSavedState>(stateStore, cipher, 'state'),
    sessionStore: encrypted<NodeSavedSession>(sessionStore, cipher, 'session'),
  };
}

interface Store<V> {
  readonly volatile?: boolean;
  get(key: string): V | undefined | PromiseLike<V | undefined>;
  set(key: string, value: V): unknown;
  del(key: string): unknown;
  take?(key: string): Promise<V | undefined>;
}

function encrypted<V>(store: Store<V>, cipher: Cipher, purpose: Purpose) {
  const open = (key: string, stored: V | undefined): V | undefined =>
    stored === undefined ? undefined : (cipher.open(purpose, key, stored) as V);
  return {
    volatile: store.volatile ?? false,
    async get(key: string): Promise<V | undefined> {
      return open(key, await store.get(key));
    },
    async set(key: string, value: V): Promise<void> {
      await store.set(key, cipher.seal(purpose, key, value) as V);
    },
    async del(key: string): Promise<void> {
      await store.del(key);
    },
    ...(store.take && { take: async (key: string) => open(key, await store.take?.(key)) }),
  };
}
