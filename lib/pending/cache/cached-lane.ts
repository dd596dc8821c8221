import { atUri } from '../../model/address.js';
import type { PendingSync } from '../../model/pending-sync.js';
import type { Park, PendingChange, PendingEntry } from '../pending-entry.js';

/** One entry as the cache keeps it. Times are milliseconds since 1970, and every value survives JSON. */
export interface CachedEntry extends Omit<PendingChange, 'address'> {
  readonly collection: string;
  readonly rkey: string;
  readonly version: number;
  readonly createdAt: number;
  readonly attempts: number;
  readonly lastError: string | null;
  /** Whether an attempt on this version has failed. */
  readonly tried: boolean;
  readonly needsSession: boolean;
  /** It needed a session, has one now, and waits for a retry by hand. */
  readonly byHand: boolean;
  /** The record itself failed. Until then the entry is not attempted automatically. */
  readonly restsUntil: number;
}

/** The lane and all entries of one DID, in one value, so that one write changes both. */
export interface CachedLane {
  readonly park: Park | null;
  /** The lane backs off until then, and is ready from then on. */
  readonly retryAt: number | null;
  readonly failures: number;
  /** Since when the lane has waited for its turn; null if it sleeps, or backs off. */
  readonly wokenAt: number | null;
  /** From when on its backfill waits for its turn; null if it is not known to have any. */
  readonly backfillAt: number | null;
  /** The last version that was given to an entry, even if that entry is gone. */
  readonly version: number;
  /** Entries up to this version are backlog. */
  readonly backlog: number;
  /** By at-uri, oldest first. An object keeps the order in which its keys were added, in JSON too. */
  readonly entries: Readonly<Record<string, CachedEntry>>;
}

export const IDLE_LANE: CachedLane = {
  park: null,
  retryAt: null,
  failures: 0,
  wokenAt: null,
  backfillAt: null,
  version: 0,
  backlog: 0,
  entries: {},
};

/** Whether nothing is lost when the value is deleted. Versions go on above the clock. */
export const isIdle = ({ park, retryAt, failures, entries }: CachedLane): boolean =>
  park === null && retryAt === null && failures === 0 && Object.keys(entries).length === 0;

/** An entry that may have to delete a record never expires. */
export const canExpire = ({ operation, mayDelete }: CachedEntry): boolean =>
  operation !== 'unpublish' && !mayDelete;

export const entryAt = ({ entries }: CachedLane, uri: string): CachedEntry | undefined =>
  Object.hasOwn(entries, uri) ? entries[uri] : undefined;

export const isBacklog = ({ byHand, version }: CachedEntry, { backlog }: CachedLane): boolean =>
  byHand || version <= backlog;

export const isDue = (entry: CachedEntry, lane: CachedLane, now: number): boolean =>
  !entry.needsSession && entry.restsUntil <= now && !isBacklog(entry, lane);

/** Only backfill entries wait for backfillAt. */
export const hasTurn = ({ backfill }: CachedEntry, { backfillAt }: CachedLane, now: number): boolean =>
  !backfill || (backfillAt ?? 0) <= now;

export const hasDue = (lane: CachedLane, now: number): boolean =>
  Object.values(lane.entries).some((entry) => isDue(entry, lane, now) && hasTurn(entry, lane, now));

/** @param nameOf the name under which operators know the class that is stored under a name */
export const toPendingEntry = (
  did: string,
  entry: CachedEntry,
  nameOf: (storedName: string) => string,
): PendingEntry => ({
  address: { did, collection: entry.collection, rkey: entry.rkey },
  entityName: entry.entityName,
  entityId: entry.entityId,
  operation: entry.operation,
  trigger: entry.trigger,
  cid: entry.cid,
  keepRecord: entry.keepRecord,
  givenUp: entry.givenUp,
  orphaned: entry.orphaned,
  mayDelete: entry.mayDelete,
  backfill: entry.backfill,
  version: entry.version,
  foreign: null,
  mapped: null,
  inConflict: false,
  sync: toPendingSync(did, entry, nameOf),
});

export function toPendingSync(
  did: string,
  entry: CachedEntry,
  nameOf: (storedName: string) => string,
): PendingSync {
  const { collection, rkey, entityId, operation, attempts, lastError } = entry;
  const uri = atUri({ did, collection, rkey });
  const createdAt = new Date(entry.createdAt).toISOString();
  return Object.freeze({
    id: uri,
    did,
    collection,
    rkey,
    uri,
    entityName: nameOf(entry.entityName),
    entityId,
    operation,
    attempts,
    createdAt,
    lastError,
  });
}
