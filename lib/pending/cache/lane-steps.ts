import { atUri } from '../../model/address.js';
import type {
  Discarded,
  FailedAttempt,
  LaneAfter,
  Park,
  PendingChange,
  PendingEntry,
} from '../pending-entry.js';
import { keptTrigger } from '../../sync/asked-by-hand.js';
import { readable } from '../readable.js';
import { restAfter } from '../record-rest.js';
import { canExpire, type CachedEntry, type CachedLane, entryAt, hasDue } from './cached-lane.js';

/**
 * What becomes of a lane, and what the caller gets. A step never changes the given lane: a cache in memory
 * may return its own object.
 */
export type LaneStep<T> = readonly [after: CachedLane, result: T];

export function capture(
  lane: CachedLane,
  changes: readonly PendingChange[],
  now: number,
  nextVersion: () => number,
): LaneStep<void> {
  const entries = { ...lane.entries };
  let { version } = lane;
  for (const change of changes) {
    version = nextVersion();
    const uri = atUri(change.address);
    entries[uri] = merged(entries[uri], change, version, now);
  }
  return [{ ...lane, version, entries }, undefined];
}

export function settle(
  lane: CachedLane,
  done: readonly { readonly uri: string; readonly version: number }[],
): LaneStep<boolean> {
  const reached = done.filter(({ uri, version }) => entryAt(lane, uri)?.version === version);
  return [
    without(
      lane,
      reached.map(({ uri }) => uri),
    ),
    true,
  ];
}

export function fail(lane: CachedLane, failed: readonly FailedAttempt[], now: number): LaneStep<boolean> {
  const entries = { ...lane.entries };
  for (const { uri, version, error, countsAttempt, needsSession } of failed) {
    const entry = entryAt(lane, uri);
    if (entry?.version !== version) continue;
    const attempts = entry.attempts + (countsAttempt ? 1 : 0);
    const restsUntil = attempts > 0 ? now + restAfter(attempts) : 0;
    entries[uri] = { ...entry, lastError: readable(error), attempts, tried: true, needsSession, restsUntil };
  }
  return [{ ...lane, entries }, true];
}

export function discard(
  lane: CachedLane,
  given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
): LaneStep<Discarded[]> {
  const discarded = given.flatMap(({ entry: { sync, version }, reason }) => {
    const entry = entryAt(lane, sync.uri);
    return entry?.version === version ? [{ sync, reason }] : [];
  });
  return [withoutDiscarded(lane, discarded), discarded];
}

/** Gives up entries for which there is a reason, at most `limit` of them. */
export function expire(
  lane: CachedLane,
  limit: number,
  given: (entry: CachedEntry) => Discarded[],
): LaneStep<Discarded[]> {
  const discarded = Object.values(lane.entries).filter(canExpire).flatMap(given).slice(0, limit);
  return [withoutDiscarded(lane, discarded), discarded];
}

export function unpark(lane: CachedLane, retry: boolean, now: number): LaneStep<void> {
  const free = freed(lane, ({ needsSession, byHand }) => !retry && (needsSession || byHand));
  if (retry) return [awake({ ...free, backlog: 0, retryAt: null }, now), undefined];
  return [lane.park ? { ...free, backlog: lane.version } : free, undefined];
}

export const voidPark = (lane: CachedLane): LaneStep<void> => [
  freed(lane, ({ byHand }) => byHand),
  undefined,
];

/** @param byHand tells which entries wait for a retry by hand from now on */
function freed(lane: CachedLane, byHand: (entry: CachedEntry) => boolean): CachedLane {
  const entries: Record<string, CachedEntry> = {};
  for (const [uri, entry] of Object.entries(lane.entries))
    entries[uri] = { ...entry, needsSession: false, byHand: byHand(entry), restsUntil: 0 };
  return { ...lane, park: null, entries };
}

export function renew(lane: CachedLane, uris: readonly string[], nextVersion: () => number): LaneStep<void> {
  const entries = { ...lane.entries };
  let { version } = lane;
  for (const uri of uris) {
    const entry = entryAt(lane, uri);
    if (entry && entry.version <= lane.backlog)
      entries[uri] = { ...entry, version: (version = nextVersion()) };
  }
  return [version > lane.version ? { ...lane, version, entries } : lane, undefined];
}

/** @param woken whether the lane was woken while it was leased */
export function release(
  lane: CachedLane,
  { next, failures, wakeAt }: LaneAfter,
  woken: boolean,
  now: number,
): LaneStep<void> {
  const asleep = { ...lane, retryAt: null, failures, wokenAt: null };
  if (lane.park) return [asleep, undefined];
  if (typeof next === 'object' && 'retryAt' in next)
    return [{ ...asleep, retryAt: next.retryAt.getTime() }, undefined];
  const isReady =
    woken || next === 'ready' || (next === 'as-before' && (lane.wokenAt ?? lane.retryAt) !== null);
  // A time that backfill has to wait for stays.
  const past = next === 'asleep' && (lane.backfillAt ?? 0) <= now;
  const backfillAt = typeof next === 'object' ? next.backfillAt.getTime() : past ? null : lane.backfillAt;
  const after = { ...asleep, backfillAt };
  if (isReady) return [awake(after, now), undefined];
  return [wakeAt ? { ...after, wokenAt: Math.max(now, wakeAt.getTime()) } : after, undefined];
}

export const park = (lane: CachedLane, { reason, sessionId, code }: Park): LaneStep<void> => [
  { ...lane, park: { reason: readable(reason), sessionId, code }, retryAt: null, wokenAt: null },
  undefined,
];

/** A lane that is already ready keeps its turn. */
export const wake = (lane: CachedLane, now: number): LaneStep<void> => [
  lane.park || lane.retryAt !== null || (lane.wokenAt !== null && lane.wokenAt <= now)
    ? lane
    : awake(lane, now),
  undefined,
];

export const wakeBackfill = (lane: CachedLane, now: number): LaneStep<void> => [
  lane.backfillAt === null ? { ...lane, backfillAt: now } : lane,
  undefined,
];

const awake = (lane: CachedLane, now: number): CachedLane =>
  hasDue(lane, now) ? { ...lane, wokenAt: now } : lane;

export function without(lane: CachedLane, uris: readonly string[]): CachedLane {
  if (uris.length === 0) return lane;
  const gone = new Set(uris);
  const kept = Object.entries(lane.entries).filter(([uri]) => !gone.has(uri));
  return { ...lane, entries: Object.fromEntries(kept) };
}

const withoutDiscarded = (lane: CachedLane, discarded: readonly Discarded[]): CachedLane =>
  without(
    lane,
    discarded.map(({ sync }) => sync.uri),
  );

function merged(
  before: CachedEntry | undefined,
  change: PendingChange,
  version: number,
  now: number,
): CachedEntry {
  // A live change takes over a backfill entry. Found again by a reconciliation, a live entry stays live.
  const backfill = change.backfill && (before?.backfill ?? true);
  // A change without a CID must not erase a known one.
  const cid = change.cid ?? before?.cid ?? null;
  // The claimant keeps the address when another entity gives it up, and a live entry stays when a
  // reconciliation finds it.
  if (before && ((change.givenUp && !isOf(before, change)) || (change.backfill && !before.backfill)))
    return { ...before, cid, backfill, version, ...UNTRIED };
  const kept = before && !before.backfill && isOf(before, change) ? keptTrigger(before, change) : null;
  const {
    address: { collection, rkey },
    entityName,
    entityId,
    orphaned,
  } = change;
  const { operation, keepRecord, givenUp, mayDelete } = kept && before ? before : change;
  return {
    collection,
    rkey,
    entityName,
    entityId,
    operation,
    trigger: kept ?? change.trigger,
    cid,
    keepRecord,
    givenUp,
    orphaned,
    mayDelete,
    backfill,
    version,
    createdAt: before?.createdAt ?? now,
    attempts: (change.backfill && before?.attempts) || 0,
    lastError: before?.lastError ?? null,
    ...UNTRIED,
  };
}

/** Of this version no attempt is known yet. */
const UNTRIED = { tried: false, needsSession: false, byHand: false, restsUntil: 0 };

const isOf = (entry: CachedEntry, change: PendingChange): boolean =>
  entry.entityName === change.entityName && entry.entityId === change.entityId;
