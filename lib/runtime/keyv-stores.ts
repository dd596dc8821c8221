import type { Cache } from 'cache-manager';

/** One store of a cache. */
export type Keyv = Cache['stores'][number];

/**
 * A Keyv, and some adapters, return nothing for a value that they could not read, unless they are told to
 * throw. That would read as "nothing is pending", or "signed out".
 */
export function throwErrors(keyv: Keyv): void {
  keyv.throwOnErrors = true;
  const { store } = keyv as { store: { throwOnErrors?: boolean } };
  if (typeof store.throwOnErrors === 'boolean') store.throwOnErrors = true;
}
