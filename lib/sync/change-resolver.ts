import { MapperError } from '../errors/mapper.error.js';
import { RetryLaterError } from '../errors/retry-later.error.js';
import { RowRefusedError } from '../errors/row-refused.error.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri, parseAtUri, type Address } from '../model/address.js';
import { RecordRows } from '../records/record-row.js';
import type { RowAccess } from '../records/row-access.js';
import { renewed, reserved, type RecordRow } from '../records/row-write.js';
import type { SyncedEntity } from '../records/synced-entity.js';
import { atOnce } from './at-once.js';
import type { Change, Resolved, Touch } from './change.js';
import { demandOf, type Demand } from './eligibility.js';
import { writeKey } from './held-row.js';
import { NotToldYetError, ownerTold } from './told-at-once.js';

/**
 * From touched entities to changed addresses: one per entity, two where its record moves.
 * Reads in `rows` alone, so it serves inside a transaction, and sees what that has written.
 *
 * @param rows undefined where {@link areKnown} says that nothing has to be read
 * @param settledCount of the dispatcher: where nothing was settled since an update read its row, the row is not read again
 */
export async function resolveTouches(
  touches: readonly Touch[],
  rows: RowAccess | undefined,
  settledCount = -1,
): Promise<Resolved> {
  const resolved: Resolved = { changes: [], unresolved: [], unowned: [] };
  const { changes, unresolved, unowned } = resolved;
  const [removals, written] = lastTouches(touches);
  for (const touch of removals) {
    const { address = null, next = null, cid = null, keepRecord = true } = touch.removal ?? {};
    const orphaned = !touch.entity.hasFixedRkey;
    for (const [given, known] of [[address, cid] as const, [next, null] as const])
      if (given) changes.push(change(touch, given, { ...GIVEN_UP, cid: known, keepRecord, orphaned }));
  }
  /** Only the stored row proves that nothing has to be synced. */
  const again: Touch[] = [];
  const all = await seenOf(written, rows, settledCount);
  // Side by side: each answer may take as long as it is given.
  const answers = await Promise.allSettled(all.map(([touch, seen]) => answerOf(touch, seen, rows)));
  for (const [index, [touch, seen]] of all.entries()) {
    const isProven = seen.isRow || rows === undefined;
    try {
      const answer = answers[index]!;
      if (answer.status === 'rejected') throw answer.reason;
      const found = await changesOf(touch, seen, answer.value, rows);
      if (found.length === 0) (isProven ? unowned : again).push(touch);
      changes.push(...found);
    } catch (error) {
      // An error of SQL has to go on: inside a transaction, swallowing it would turn the commit into a silent rollback.
      if (!isOfOne(error)) throw error;
      if (isProven || error instanceof NotToldYetError) unresolved.push({ touch, error });
      else again.push(touch);
    }
  }
  if (again.length > 0) {
    const found = await resolveTouches(again.map(withoutStored), rows, settledCount);
    changes.push(...found.changes);
    unresolved.push(...found.unresolved);
    unowned.push(...found.unowned);
  }
  return resolved;
}

/** Whether an error concerns one entity and no others. */
const isOfOne = (error: unknown): error is MapperError | RetryLaterError | RowRefusedError =>
  error instanceof MapperError || error instanceof RetryLaterError || error instanceof RowRefusedError;

/** Of which the row is read. */
export const withoutStored = (touch: Touch): Touch => ({ ...touch, stored: undefined });

/** Whether touches say all that their rows would: nothing has to be read to resolve them. */
export const areKnown = (touches: readonly Touch[], settledCount: number): boolean =>
  lastTouches(touches)[1].every((touch) => isFresh(touch, settledCount) && told(touch) !== null);

/** Whether the record columns are known as well: no worker can have written them since. */
const isFresh = ({ inserted, before, stored }: Touch, settledCount: number): boolean =>
  inserted
    ? recordStateOf(stored ?? {}).rkey !== null
    : before?.settledCount === settledCount && before.row.rkey !== null;

/**
 * The row of a touch, if its address can be told from what its event told: whose record it is comes from the row, never from what a
 * caller hung on an instance. Which address a record leaves, and which key it has for good, only the stored row tells.
 */
function told({ entity, stored, inserted, before }: Touch): object | null {
  if (!stored || entity.hasLoadHooks || (inserted ? entity.hasFixedRkey : entity.sync.followOwner))
    return null;
  return before?.row.uri || entity.isOwnerInRow(stored) ? stored : null;
}

/** An entity that was written and then removed is removed; one that was removed and then inserted again is both. */
function lastTouches(touches: readonly Touch[]): [removals: readonly Touch[], written: readonly Touch[]] {
  if (touches.length === 1) return touches[0]?.removal ? [touches, []] : [[], touches];
  const removals: Touch[] = [];
  const written = new Map<string, Touch>();
  for (const touch of touches) {
    const key = `${touch.entity.name} ${touch.entityId}`;
    const before = written.get(key);
    if (touch.removal) {
      written.delete(key);
      removals.push(touch);
    } else {
      written.set(key, before ? joined(before, touch) : touch);
    }
  }
  return [removals, [...written.values()]];
}

const joined = (before: Touch, touch: Touch): Touch => ({
  ...touch,
  instance: touch.instance ?? before.instance,
  inserted: touch.inserted || (before.inserted && !touch.before?.row.uri),
});

function open(rows: RowAccess | undefined): RowAccess {
  if (rows) return rows;
  throw new Error('A row has to be read, and there is no connection to read it on.');
}

/** What a touched entity looks like. */
interface Seen {
  readonly row: object;
  /** Read from the database, with its relations; otherwise as its event told. */
  readonly isRow: boolean;
}

/** The touches whose rows are there. */
async function seenOf(
  touches: readonly Touch[],
  access: RowAccess | undefined,
  settledCount: number,
): Promise<[Touch, Seen][]> {
  const seen = new Map<Touch, Seen>();
  const unread: Touch[] = [];
  const unfresh: Touch[] = [];
  for (const touch of touches) {
    const row = told(touch);
    if (!row) unread.push(touch);
    else if (!isFresh(touch, settledCount)) unfresh.push(touch);
    else {
      if (!touch.inserted && touch.before) show(touch, row, touch.before.row);
      seen.set(touch, { row, isRow: false });
    }
  }
  for (const [entity, group] of Map.groupBy(unfresh, (touch) => touch.entity)) {
    // A worker may have written the record columns since the update read them.
    const ids = group.map(({ entityId }) => entityId);
    const columns = await open(access).use((runner) => new RecordRows(entity).read(runner, ids));
    for (const touch of group) {
      const row = columns.get(touch.entityId);
      const { stored } = touch;
      if (!row || !stored) continue;
      if (!row.uri && !entity.isOwnerInRow(stored)) unread.push(touch);
      else {
        show(touch, stored, row);
        seen.set(touch, { row: stored, isRow: false });
      }
    }
  }
  for (const [entity, group] of Map.groupBy(unread, (touch) => touch.entity)) {
    const ids = group.map(({ entityId }) => entityId);
    const rows = await open(access).use((runner) => entity.load(ids, runner.manager));
    for (const touch of group) {
      const row = rows.get(touch.entityId);
      if (!row) continue;
      if (touch.instance) entity.show(touch.instance, columnsOf(row));
      seen.set(touch, { row, isRow: true });
    }
  }
  return touches.flatMap((touch) => {
    const one = seen.get(touch);
    return one ? [[touch, one]] : [];
  });
}

const columnsOf = (row: object): RecordRow => {
  const { uri, cid, rkey } = recordStateOf(row);
  return { uri, cid, rkey };
};

/** An instance that is older than a write-back names a record that is no longer, or not yet, its own. */
function show({ entity, instance }: Touch, row: object, { uri, cid, rkey }: RecordRow): void {
  for (const one of new Set([row, instance])) if (one) entity.show(one, { uri, cid, rkey });
}

const GIVEN_UP = { operation: 'unpublish', givenUp: true, mayDelete: true } as const;

/** What an entity's own code answers. */
interface Answer {
  /** Undefined: related rows are in the hand of the caller at best. */
  readonly whole: object | undefined;
  readonly demand: Demand | undefined;
  /** null: none, or it makes no difference. */
  readonly owner: string | null;
}

async function answerOf(touch: Touch, { row, isRow }: Seen, rows: RowAccess | undefined): Promise<Answer> {
  const { entity, instance, byHand, inserted } = touch;
  const whole =
    isRow || !entity.hasRelations ? row : instance && entity.isWhole(instance) ? instance : undefined;
  const demand = byHand ? RECORD : whole && (await toldDemand(entity, whole, rows));
  const wantsRecord = !demand || demand.kind === 'record';
  const isPublished = parseAtUri(recordStateOf(row).uri) !== null;
  if (byHand?.did !== undefined && !isPublished) return { whole, demand, owner: byHand.did };
  const isAsked = entity.asksOwner(row) && (wantsRecord || !(isPublished || inserted));
  if (!isAsked) return { whole, demand, owner: null };
  const owner = ownerTold(entity, row, rows);
  return { whole, demand, owner: await (wantsRecord ? owner : owner.catch(unlessFailed)) };
}

async function changesOf(
  touch: Touch,
  { row, isRow }: Seen,
  { whole, demand, owner }: Answer,
  rows: RowAccess | undefined,
): Promise<Change[]> {
  const { entity, entityId } = touch;
  const wantsRecord = !demand || demand.kind === 'record';
  const isNew = touch.inserted && recordStateOf(row).uri === null;
  if (isNew && !wantsRecord) return [];
  if (recordStateOf(row).rkey === null) await reserveKey(entity, entityId, row, rows);
  if (entity.sync.followOwner && wantsRecord) await renewKey(entity, entityId, row, owner, rows);
  const { uri, cid } = recordStateOf(row);
  const published = parseAtUri(uri);
  const address = wantsRecord ? entity.addressIn(row, owner) : (published ?? entity.addressIn(row, owner));
  if (!address) return [];
  const moved = published !== null && atUri(published) !== atUri(address);
  const changes = [
    change(touch, address, {
      operation: demand?.kind === 'absent' ? 'unpublish' : published ? 'republish' : 'publish',
      cid: moved ? null : cid,
      keepRecord: false,
      givenUp: false,
      mayDelete: demand?.kind === 'absent' || !(demand && (isRow || !entity.hasRelations)),
      whole,
      isRow,
    }),
  ];
  if (moved) changes.push(change(touch, published, { ...GIVEN_UP, cid, keepRecord: false }));
  return changes;
}

const RECORD = { kind: 'record' } as const;

/** The account of an entity that is not eligible need not be known. */
const unlessFailed = (error: unknown): null => {
  if (error instanceof MapperError) return null;
  throw error;
};

/** undefined: not known now. Inside a transaction there is no waiting for the world, which may wait for the transaction. */
async function toldDemand(
  entity: SyncedEntity,
  row: object,
  rows: RowAccess | undefined,
): Promise<Demand | undefined> {
  const demand = demandOf(entity, row);
  // The try that follows meets the same error, and reports it.
  const quiet = demand.catch(() => undefined);
  return rows?.isInTransaction ? (await atOnce([quiet]))[0] : quiet;
}

/** A row that is older than its record columns has no key; it has to be there before the first request names it. */
async function reserveKey(
  entity: SyncedEntity,
  id: string,
  instance: object,
  access: RowAccess | undefined,
): Promise<void> {
  const next = parseAtUri(recordStateOf(instance).uri)?.rkey ?? entity.newRkey(instance);
  const { rkey = null } = await writeKey(entity, reserved(id, next), open(access));
  entity.show(instance, { rkey });
}

/**
 * A record that moves gets a new key, since it may have been there before and have been deleted; one that stays after all keeps its own.
 */
async function renewKey(
  entity: SyncedEntity,
  id: string,
  instance: object,
  owner: string | null,
  access: RowAccess | undefined,
): Promise<void> {
  const { uri, rkey } = recordStateOf(instance);
  const published = parseAtUri(uri);
  const address = published && entity.addressIn(instance, owner);
  if (!address || (address.did !== published.did) === (rkey !== published.rkey)) return;
  const next = rkey === published.rkey ? entity.newRkey(instance) : published.rkey;
  if (next === rkey) return;
  entity.show(instance, await writeKey(entity, renewed(id, { uri, rkey }, next), open(access)));
}

const change = (
  { entity, entityId, instance, origin }: Touch,
  address: Address,
  rest: Pick<Change, 'operation' | 'cid' | 'keepRecord' | 'givenUp' | 'mayDelete'> &
    Partial<Pick<Change, 'orphaned' | 'whole' | 'isRow'>>,
): Change => ({
  entity,
  entityId,
  address,
  trigger: 'auto',
  instance,
  whole: undefined,
  origin,
  ...rest,
});
