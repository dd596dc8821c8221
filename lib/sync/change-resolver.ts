import { MapperError } from '../errors/mapper.error.js';
import { RetryLaterError } from '../errors/retry-later.error.js';
import { RowRefusedError } from '../errors/row-refused.error.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri, parseAtUri, type Address } from '../model/address.js';
import type { RowAccess } from '../database/row-access.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { atOnce } from './at-once.js';
import type { Change, Resolved, EntityWrite } from './change.js';
import { demandOf, type Demand } from './eligibility.js';
import { renewKey, reserveKey } from './record-keys.js';
import { NotToldYetError, ownerTold } from './told-at-once.js';
import { lastWrites, seenOf, withoutStored, type Seen } from './written-rows.js';

/**
 * From touched entities to changed addresses: one per entity, two where its record moves. Reads in `rows`
 * alone, so it serves inside a transaction, and sees what that has written.
 *
 * @param rows undefined where {@link areKnown} says that nothing has to be read
 * @param settledCount of the dispatcher: where nothing was settled since an update read its row, the row is
 *   not read again
 */
export async function resolveWrites(
  writes: readonly EntityWrite[],
  rows: RowAccess | undefined,
  settledCount = -1,
): Promise<Resolved> {
  const resolved: Resolved = { changes: [], unresolved: [], unowned: [] };
  const { changes, unresolved, unowned } = resolved;
  const [removals, written] = lastWrites(writes);
  for (const write of removals) {
    const { address = null, next = null, cid = null, keepRecord = true } = write.removal ?? {};
    const orphaned = !write.entity.hasFixedRkey;
    for (const [given, known] of [[address, cid] as const, [next, null] as const])
      if (given) changes.push(change(write, given, { ...GIVEN_UP, cid: known, keepRecord, orphaned }));
  }
  /** Only the stored row proves that nothing has to be synced. */
  const again: EntityWrite[] = [];
  const all = await seenOf(written, rows, settledCount);
  // Side by side: each answer may take as long as it is given.
  const answers = await Promise.allSettled(all.map(([write, seen]) => answerOf(write, seen, rows)));
  for (const [index, [write, seen]] of all.entries()) {
    const isProven = seen.isRow || rows === undefined;
    try {
      const answer = answers[index]!;
      if (answer.status === 'rejected') throw answer.reason;
      const found = await changesOf(write, seen, answer.value, rows);
      if (found.length === 0) (isProven ? unowned : again).push(write);
      changes.push(...found);
    } catch (error) {
      // An error of SQL has to go on: inside a transaction, swallowing it would turn the commit into a silent
      // rollback.
      if (!isOfOne(error)) throw error;
      if (isProven || error instanceof NotToldYetError) unresolved.push({ write, error });
      else again.push(write);
    }
  }
  if (again.length > 0) {
    const found = await resolveWrites(again.map(withoutStored), rows, settledCount);
    changes.push(...found.changes);
    unresolved.push(...found.unresolved);
    unowned.push(...found.unowned);
  }
  return resolved;
}

/** Whether an error concerns one entity and no others. */
const isOfOne = (error: unknown): error is MapperError | RetryLaterError | RowRefusedError =>
  error instanceof MapperError || error instanceof RetryLaterError || error instanceof RowRefusedError;

const GIVEN_UP = { operation: 'unpublish', givenUp: true, mayDelete: true } as const;

/** What an entity's own code answers. */
interface Answer {
  /** Undefined: related rows are in the hand of the caller at best. */
  readonly snapshot: object | undefined;
  readonly demand: Demand | undefined;
  /** null: none, or it makes no difference. */
  readonly owner: string | null;
}

async function answerOf(
  write: EntityWrite,
  { row, isRow }: Seen,
  rows: RowAccess | undefined,
): Promise<Answer> {
  const { entity, instance, byHand, inserted } = write;
  const snapshot =
    isRow || !entity.hasRelations ? row : instance && entity.isComplete(instance) ? instance : undefined;
  const demand =
    byHand || (snapshot && isAlwaysEligible(entity, snapshot))
      ? RECORD
      : snapshot && (await toldDemand(entity, snapshot, rows));
  const wantsRecord = !demand || demand.kind === 'record';
  const isPublished = parseAtUri(recordStateOf(row).uri) !== null;
  if (byHand?.did !== undefined && !isPublished) return { snapshot, demand, owner: byHand.did };
  const isAsked = entity.asksOwner(row) && (wantsRecord || !(isPublished || inserted));
  if (!isAsked) return { snapshot, demand, owner: null };
  const owner = ownerTold(entity, row, rows);
  return { snapshot, demand, owner: await (wantsRecord ? owner : owner.catch(unlessFailed)) };
}

async function changesOf(
  write: EntityWrite,
  { row, isRow }: Seen,
  { snapshot, demand, owner }: Answer,
  rows: RowAccess | undefined,
): Promise<Change[]> {
  const { entity, entityId } = write;
  const wantsRecord = !demand || demand.kind === 'record';
  const isNew = write.inserted && recordStateOf(row).uri === null;
  if (isNew && !wantsRecord) return [];
  if (recordStateOf(row).rkey === null) await reserveKey(entity, entityId, row, rows);
  if (entity.sync.followOwner && wantsRecord) await renewKey(entity, entityId, row, owner, rows);
  const { uri, cid } = recordStateOf(row);
  const published = parseAtUri(uri);
  const address = wantsRecord ? entity.addressIn(row, owner) : (published ?? entity.addressIn(row, owner));
  if (!address) return [];
  const moved = published !== null && atUri(published) !== atUri(address);
  const changes = [
    change(write, address, {
      operation: demand?.kind === 'absent' ? 'unpublish' : published ? 'republish' : 'publish',
      cid: moved ? null : cid,
      keepRecord: false,
      givenUp: false,
      mayDelete: demand?.kind === 'absent' || !(demand && (isRow || !entity.hasRelations)),
      snapshot,
      isRow,
    }),
  ];
  if (moved) changes.push(change(write, published, { ...GIVEN_UP, cid, keepRecord: false }));
  return changes;
}

const RECORD = { kind: 'record' } as const;

const isAlwaysEligible = (entity: SyncedEntity, row: object): boolean =>
  !entity.choosesWhen(row) && !entity.isSoftDeleted(row);

/** The account of an entity that is not eligible need not be known. */
const unlessFailed = (error: unknown): null => {
  if (error instanceof MapperError) return null;
  throw error;
};

/**
 * undefined: not known now. Inside a transaction there is no waiting for the world, which may wait for the
 * transaction.
 */
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

const change = (
  { entity, entityId, instance, origin }: EntityWrite,
  address: Address,
  rest: Pick<Change, 'operation' | 'cid' | 'keepRecord' | 'givenUp' | 'mayDelete'> &
    Partial<Pick<Change, 'orphaned' | 'snapshot' | 'isRow'>>,
): Change => ({
  entity,
  entityId,
  address,
  trigger: 'auto',
  instance,
  snapshot: undefined,
  origin,
  ...rest,
});
