import { atUri } from '../../model/address.js';
import type { PendingSync } from '../../model/pending-sync.js';
import type { Park, PendingChange, PendingEntry } from '../pending-entry.js';

/** One entry as the cache keeps it. Times here are milliseconds since 1970; everything survives JSON. */
export interface CachedEntry extends Omit<PendingChange, 'address'> {
  readonly collection: string;
  readonly rkey: string;
  readonly version: number;
  readonly createdAt: number;
  readonly attempts: number;
  readonly lastError: string | null;
  /** Whether a try of this version has failed. */
  readonly tried: boolean;
  readonly needsSession: boolean;
  /** It needed a session, has one, and waits for a retry by hand. */
  readonly byHand: boolean;
  /** The record failed: not tried again by itself before. */
  readonly restsUntil: number;
}

/**
 * What the cache keeps for one DID: its lane and its entries, in one value, so that one write changes both.
 */
export interface CachedLane {
  readonly park: Park | null;
  /** Backed off until then; ready from then on. */
  readonly retryAt: number | null;
  readonly failures: number;
  /** Since when the lane waits for its turn; null: it sleeps, or is backed off. */
  readonly wokenAt: number | null;
  /** Its backfill waits for its turn from then on; null: no backfill is known to be there. */
  readonly backfillAt: number | null;
  /** The last version given to an entry, also to one that is gone. */
  readonly version: number;
  /** Entries up to this version are backlog. */
  readonly backlog: number;
  /** By at-uri, oldest first: an object keeps the order in which its keys came, in JSON too. */
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

/** Nothing is lost when the value goes; versions go on above the clock. */
export const isIdle = ({ park, retryAt, failures, entries }: CachedLane): boolean =>
  park === null && retryAt === null && failures === 0 && Object.keys(entries).length === 0;

/** Whatever may have to delete a record never does. */
export const canExpire = ({ operation, mayDelete }: CachedEntry): boolean =>
  operation !== 'unpublish' && !mayDelete;

export const entryAt = ({ entries }: CachedLane, uri: string): CachedEntry | undefined =>
  Object.hasOwn(entries, uri) ? entries[uri] : undefined;

export const isBacklog = ({ byHand, version }: CachedEntry, { backlog }: CachedLane): boolean =>
  byHand || version <= backlog;

export const isDue = (entry: CachedEntry, lane: CachedLane, now: number): boolean =>
  !entry.needsSession && entry.restsUntil <= now && !isBacklog(entry, lane);

/** What is no backfill always has. */
export const hasTurn = ({ backfill }: CachedEntry, { backfillAt }: CachedLane, now: number): boolean =>
  !backfill || (backfillAt ?? 0) <= now;

export const hasDue = (lane: CachedLane, now: number): boolean =>
  Object.values(lane.entries).some((entry) => isDue(entry, lane, now) && hasTurn(entry, lane, now));

/** @param nameOf what people call the class that is kept under a name */
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
