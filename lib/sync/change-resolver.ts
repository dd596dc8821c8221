import type { DataSource } from 'typeorm';
import { MapperError } from '../errors/mapper.error.js';
import { RetryLaterError } from '../errors/retry-later.error.js';
import { RowRefusedError } from '../errors/row-refused.error.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri, parseAtUri, type Address } from '../model/address.js';
import { committedRows, type RowAccess } from '../database/row-access.js';
import { GIVEN_UP, type Change, type Resolved, type EntityWrite } from './change.js';
import { ELIGIBLE, type Eligibility } from './eligibility.js';
import { renewKey, reserveKey } from './record-keys.js';
import type { SettledVersions } from './settled-versions.js';
import type { SyncRun } from './sync-run.js';
import { eligibilityTold, NotToldYetError, ownerTold } from './told-at-once.js';
import { areKnown, lastWrites, seenOf, withoutStored, type Seen } from './written-rows.js';

/**
 * Resolves entity writes into changed addresses: one per entity, two where its record moves. Reads through
 * `rows` only, so inside a transaction it sees what that transaction has written.
 *
 * @param rows undefined where {@link areKnown} says that nothing has to be read
 * @param versions a row is not read again if no work on its account has ended since the update read it
 */
export async function resolveWrites(
  writes: readonly EntityWrite[],
  rows: RowAccess | undefined,
  versions?: SettledVersions,
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
  /**
   * Only the stored row proves that nothing has to be synced; an instance in memory may be stale. These are
   * read.
   */
  const again: EntityWrite[] = [];
  const all = await seenOf(written, rows, versions);
  // In parallel, because an answer of the application's code may take long.
  const answers = await Promise.allSettled(all.map(([write, seen]) => toldOf(write, seen, rows)));
  for (const [index, [write, seen]] of all.entries()) {
    const isProven = seen.isRow || rows === undefined;
    try {
      const answer = answers[index]!;
      if (answer.status === 'rejected') throw answer.reason;
      const found = await changesOf(write, seen, answer.value, rows);
      if (found.length === 0) (isProven ? unowned : again).push(write);
      changes.push(...found);
    } catch (error) {
      // An SQL error is thrown on: swallowed inside a transaction, it would turn the commit into a silent
      // rollback.
      if (!isOfOne(error)) throw error;
      if (isProven || error instanceof NotToldYetError) unresolved.push({ write, error });
      else again.push(write);
    }
  }
  if (again.length > 0) {
    const found = await resolveWrites(again.map(withoutStored), rows, versions);
    changes.push(...found.changes);
    unresolved.push(...found.unresolved);
    unowned.push(...found.unowned);
  }
  return resolved;
}

/**
 * The changed addresses of committed writes. Never throws; a write whose row cannot be read is unresolved.
 */
export async function resolveCommitted(
  writes: readonly EntityWrite[],
  run: SyncRun,
  versions: SettledVersions,
): Promise<Resolved> {
  const all: Resolved = { changes: [], unresolved: [], unowned: [] };
  for (const [dataSource, group] of Map.groupBy(writes, ({ entity }) => entity.dataSource)) {
    try {
      const { changes, unresolved, unowned } = await resolveGroup(group, dataSource, run, versions);
      all.changes.push(...changes);
      all.unresolved.push(...unresolved);
      all.unowned.push(...unowned);
    } catch (error) {
      all.unresolved.push(...group.map((write) => ({ write, error: error as Error })));
    }
  }
  return all;
}

async function resolveGroup(
  writes: readonly EntityWrite[],
  dataSource: DataSource,
  run: SyncRun,
  versions: SettledVersions,
): Promise<Resolved> {
  const isKnown = areKnown(writes, versions);
  const told = isKnown ? await resolveWrites(writes, undefined, versions) : null;
  if (told && told.unowned.length + told.unresolved.length === 0) return told;
  const unread = told ? writes.map(withoutStored) : writes;
  return resolveWrites(unread, committedRows(dataSource, run.runner), versions);
}

/** Whether an error concerns one entity only. */
const isOfOne = (error: unknown): error is MapperError | RetryLaterError | RowRefusedError =>
  error instanceof MapperError || error instanceof RetryLaterError || error instanceof RowRefusedError;

/** The answers of an entity's own code. */
interface Told {
  /** The complete entity; undefined where its related rows are not at hand. */
  readonly snapshot: object | undefined;
  readonly eligibility: Eligibility | undefined;
  /** Null if there is no owner, or if the owner makes no difference. */
  readonly owner: string | null;
}

async function toldOf(write: EntityWrite, { row, isRow }: Seen, rows: RowAccess | undefined): Promise<Told> {
  const { entity, instance, byHand, inserted } = write;
  const snapshot =
    isRow || !entity.hasRelations ? row : instance && entity.isComplete(instance) ? instance : undefined;
  const eligibility = byHand ? ELIGIBLE : snapshot && (await eligibilityTold(entity, snapshot, rows));
  const wantsRecord = !eligibility || eligibility.kind === 'record';
  const isPublished = parseAtUri(recordStateOf(row).uri) !== null;
  if (byHand?.did !== undefined && !isPublished) return { snapshot, eligibility, owner: byHand.did };
  const isAsked = entity.asksOwner(row) && (wantsRecord || !(isPublished || inserted));
  if (!isAsked) return { snapshot, eligibility, owner: null };
  try {
    return { snapshot, eligibility, owner: await ownerTold(entity, row, rows) };
  } catch (error) {
    // An entity that is not eligible may fail to tell its account; the account is not needed.
    if (wantsRecord || !(error instanceof MapperError)) throw error;
    return { snapshot, eligibility, owner: null };
  }
}

async function changesOf(
  write: EntityWrite,
  { row, isRow }: Seen,
  { snapshot, eligibility, owner }: Told,
  rows: RowAccess | undefined,
): Promise<Change[]> {
  const { entity, entityId } = write;
  const wantsRecord = !eligibility || eligibility.kind === 'record';
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
      operation: eligibility?.kind === 'absent' ? 'unpublish' : published ? 'republish' : 'publish',
      cid: moved ? null : cid,
      keepRecord: false,
      givenUp: false,
      mayDelete: eligibility?.kind === 'absent' || !(eligibility && (isRow || !entity.hasRelations)),
      snapshot,
      isRow,
    }),
  ];
  if (moved) changes.push(change(write, published, { ...GIVEN_UP, cid, keepRecord: false }));
  return changes;
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
