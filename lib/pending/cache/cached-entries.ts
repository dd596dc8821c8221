import type { PendingEntry } from '../pending-entry.js';
import { type CachedEntry, type CachedLane, entryAt, hasTurn, isDue, toPendingEntry } from './cached-lane.js';

/** The entries of cached lanes, as this process gives them to its callers. */
export class CachedEntries {
  /** Names of classes that this process does not know. */
  private readonly left = new Set<string>();

  constructor(
    private readonly nameOf: (storedName: string) => string,
    private readonly now: () => number,
  ) {}

  at(did: string, lane: CachedLane, uris: readonly string[]): PendingEntry[] {
    return uris.flatMap((uri) => {
      const entry = entryAt(lane, uri);
      return entry ? [toPendingEntry(did, entry, this.nameOf)] : [];
    });
  }

  due(
    did: string,
    lane: CachedLane,
    { limit, backlog }: { limit: number; backlog: boolean },
  ): PendingEntry[] {
    const now = this.now();
    return Object.values(lane.entries)
      .filter(
        (entry) => (backlog ? !entry.needsSession : isDue(entry, lane, now)) && hasTurn(entry, lane, now),
      )
      .filter((entry) => !this.isLeft(entry))
      .toSorted((a, b) => Number(a.backfill) - Number(b.backfill))
      .slice(0, limit)
      .map((entry) => toPendingEntry(did, entry, this.nameOf));
  }

  /** @returns false if they are left already */
  leave(entityName: string): boolean {
    const isNew = !this.left.has(entityName);
    this.left.add(entityName);
    return isNew;
  }

  /** Whether an entry is left to other processes, which know its class. */
  isLeft({ entityName, orphaned }: CachedEntry): boolean {
    return this.left.has(entityName) && !orphaned;
  }

  /** Whether any class is left to other processes. */
  get leavesAny(): boolean {
    return this.left.size > 0;
  }
}
