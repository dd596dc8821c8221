import type { Cache } from 'cache-manager';

/** One store of a cache. */
export type Keyv = Cache['stores'][number];

export const storesOf = (cache: Cache | Keyv): readonly Keyv[] =>
  'stores' in cache ? cache.stores : [cache];

/**
 * A Keyv, and some adapters, return nothing for a value that they could not read, unless they are told to
 * throw. That would read as "nothing is pending", or "signed out".
 */
export function throwErrors(keyv: Keyv): void {
  keyv.throwOnErrors = true;
  const { store } = keyv as { store: { throwOnErrors?: boolean } };
  if (typeof store.throwOnErrors === 'boolean') store.throwOnErrors = true;
}

/** Where the known adapters say that their values are. */
const PLACES = ['dialect', 'url', 'uri', 'filename'];

/**
 * Whether values are still there after the process has ended, in one of the stores at least. Undefined if no
 * adapter tells: it may be one of a server, or one of this process, such as `CacheableMemory`.
 */
export function outlivesProcess(stores: readonly Keyv[]): boolean | undefined {
  const told = new Set(stores.map(tells));
  if (told.has(true)) return true;
  return told.has(undefined) ? undefined : false;
}

function tells({ store }: Keyv): boolean | undefined {
  if (store instanceof Map) return false;
  const options = (store as { opts?: Readonly<Record<string, unknown>> | null }).opts ?? {};
  const places = PLACES.map((name) => options[name]).filter((place) => typeof place === 'string');
  if (places.length === 0) return undefined;
  // As SQLite has it.
  return !places.some((place) => place.includes(':memory:'));
}
