import type { Lease } from '../../../../lib/pending/pending-entry.js';
import type { PendingSyncStore } from '../../../../lib/pending/pending-sync.store.js';

export interface BrokenRule {
  readonly breaks: string;
  readonly fails: string;
  /** What it does in another way than the good store. */
  readonly rule: (good: PendingSyncStore) => Partial<PendingSyncStore>;
}

/** No change was left alone. */
export const NONE: ReadonlySet<string> = new Set();

/** Remembers which lease has a lane now, for stores that take any lease for it. */
export function holders(good: PendingSyncStore) {
  const held = new Map<string, Lease>();
  return {
    held,
    enter: async (...asked: Parameters<PendingSyncStore['enter']>) => {
      const entered = await good.enter(...asked);
      if (entered.lease) held.set(entered.lease.did, entered.lease);
      return entered;
    },
    holderOf: (lease: Lease): Lease => held.get(lease.did) ?? lease,
  };
}

/** The same thing at the version that the store has now. */
export async function atPresent<T extends { readonly uri: string; readonly version: number }>(
  good: PendingSyncStore,
  did: string,
  stale: readonly T[],
): Promise<T[]> {
  const entries = await good.at(
    did,
    stale.map(({ uri }) => uri),
  );
  return stale.map((one) => ({
    ...one,
    version: entries.find(({ sync }) => sync.uri === one.uri)?.version ?? one.version,
  }));
}
