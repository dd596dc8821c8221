import type { QueryRunner } from 'typeorm';
import { MapperError } from '../errors/mapper.error.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri, parseAtUri, type Address } from '../model/address.js';
import { RecordRows } from '../records/record-row.js';
import type { RecordRow } from '../records/row-write.js';
import type { SyncedEntity } from '../records/synced-entity.js';
import type { Change, Resolved, Touch } from './change.js';

/**
 * From touched entities to changed addresses: one per entity, two where its record moves.
 * Reads on `runner` alone, so it serves inside a transaction, and sees what that has written.
 *
 * @param runner undefined where {@link isKnown} says of every touch that nothing has to be read
 * @param settledCount of the dispatcher: where nothing was settled since an update read its row, the row is not read again
 */
export async function resolveTouches(
  touches: readonly Touch[],
  runner: QueryRunner | undefined,
  settledCount = -1,
): Promise<Resolved> {
  const resolved: Resolved = { changes: [], unresolved: [], unowned: [] };
  const { changes, unresolved, unowned } = resolved;
  const [removals, written] = lastTouches(touches);
  for (const touch of removals) {
    const { address = null, next = null, cid = null, keepRecord = true } = touch.removal ?? {};
    if (address)
      changes.push(change(touch, address, { operation: 'unpublish', cid, keepRecord, rowGone: true }));
    if (next)
      changes.push(change(touch, next, { operation: 'unpublish', cid: null, keepRecord, rowGone: true }));
  }
  /** That there is nothing to sync is believed of a row alone. */
  const again: Touch[] = [];
  for (const [touch, instance] of await instancesOf(written, runner, settledCount)) {
    const inHand = runner !== undefined && touch.whole && instance === touch.instance;
    try {
      const found = await changesOf(touch, instance, runner);
      if (found.length === 0) (inHand ? again : unowned).push(touch);
      changes.push(...found);
    } catch (error) {
      // An error of SQL has to go on: inside a transaction, swallowing it would turn the commit into a silent rollback.
      if (!(error instanceof MapperError)) throw error;
      if (inHand) again.push(touch);
      else unresolved.push({ touch, error });
    }
  }
  if (again.length > 0) {
    const rows = await resolveTouches(again.map(unheld), runner, settledCount);
    changes.push(...rows.changes);
    unresolved.push(...rows.unresolved);
    unowned.push(...rows.unowned);
  }
  return resolved;
}

const unheld = (touch: Touch): Touch => ({ ...touch, whole: false });

/** Whether a touch says all that its row would: nothing has to be read to resolve it. */
export const isKnown = (touch: Touch, settledCount: number): boolean =>
  touch.removal !== undefined || knownInstance(touch, settledCount) !== null;

/**
 * The instance of a touch if it is as its row was written, but for its record columns. After that it may have been altered, or what was
 * altered in it may have been rolled back to a savepoint. Which address a record leaves, and which key it has for good, the row tells.
 */
const asWritten = ({ entity, instance, whole, inserted, written }: Touch): object | null =>
  instance &&
  whole &&
  entity.isWhole(instance) &&
  !entity.hasLoadHooks &&
  !(inserted ? entity.hasFixedRkey : entity.sync.followOwner) &&
  [...(written ?? [])].every(([column, value]) => column.getEntityValue(instance) === value)
    ? instance
    : null;

/** The instance of a touch if it is as its row, but for the record columns of an update. */
function knownInstance(touch: Touch, settledCount: number): object | null {
  const instance = asWritten(touch);
  if (!instance) return null;
  const { inserted, before } = touch;
  // Another process may have written it since.
  if (!inserted && before?.settledCount !== settledCount) return null;
  const { rkey } = before?.row ?? recordStateOf(instance);
  return rkey === null ? null : instance;
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
  written: new Map([...(before.written ?? []), ...(touch.written ?? [])]),
});

function open(runner: QueryRunner | undefined): QueryRunner {
  if (runner) return runner;
  throw new Error('A row has to be read, and there is no connection to read it on.');
}

/** The whole instances of touches whose rows are there. */
async function instancesOf(
  touches: readonly Touch[],
  runner: QueryRunner | undefined,
  settledCount: number,
): Promise<[Touch, object][]> {
  const found: [Touch, object][] = [];
  const unknown: Touch[] = [];
  for (const touch of touches) {
    const instance = knownInstance(touch, settledCount);
    const { entity, inserted, before } = touch;
    if (instance && before && !inserted) show(entity, instance, before.row);
    if (instance) found.push([touch, instance]);
    else unknown.push(touch);
  }
  if (unknown.length === 0) return found;
  for (const [entity, group] of Map.groupBy(unknown, (touch) => touch.entity)) {
    const read = await readInstances(entity, group, open(runner));
    for (const touch of group) {
      const instance = read.get(touch.entityId);
      if (instance) found.push([touch, instance]);
    }
  }
  return found;
}

async function readInstances(
  entity: SyncedEntity,
  touches: readonly Touch[],
  runner: QueryRunner,
): Promise<Map<string, object>> {
  const whole = new Map<string, object>();
  const partial: string[] = [];
  for (const touch of touches) {
    const instance = asWritten(touch);
    if (instance) whole.set(touch.entityId, instance);
    else partial.push(touch.entityId);
  }
  // An instance that is older than somebody's write-back names a record that is no longer, or not yet, its own.
  const updated = touches
    .filter(({ entityId, inserted }) => !inserted && whole.has(entityId))
    .map(({ entityId }) => entityId);
  if (updated.length > 0) {
    const rows = await new RecordRows(entity).read(runner, updated);
    for (const id of updated) {
      const row = rows.get(id);
      const instance = whole.get(id);
      if (row && instance) show(entity, instance, row);
      else whole.delete(id);
    }
  }
  if (partial.length > 0) {
    for (const [id, row] of await entity.load(partial, runner.manager)) whole.set(id, row);
    for (const { entityId, instance } of touches) {
      const row = whole.get(entityId);
      if (instance && row && row !== instance) show(entity, instance, recordStateOf(row));
    }
  }
  return whole;
}

const show = (entity: SyncedEntity, instance: object, { uri, cid, rkey }: RecordRow): void =>
  entity.show(instance, { uri, cid, rkey });

async function changesOf(touch: Touch, instance: object, runner: QueryRunner | undefined): Promise<Change[]> {
  const { entity } = touch;
  if (recordStateOf(instance).rkey === null) await reserveKey(entity, touch.entityId, instance, runner);
  if (entity.sync.followOwner) await renewKey(entity, touch.entityId, instance, runner);
  const { uri, cid } = recordStateOf(instance);
  const published = parseAtUri(uri);
  const address = await entity.addressOf(instance, touch.did, published);
  if (!address) return [];
  const moved = published !== null && atUri(published) !== atUri(address);
  const operation = published ? 'republish' : 'publish';
  const changes = [
    change(touch, address, { operation, cid: moved ? null : cid, keepRecord: false }, instance),
  ];
  if (moved) changes.push(change(touch, published, { operation: 'unpublish', cid, keepRecord: false }));
  return changes;
}

/** A row that is older than its record columns has no key; it has to be there before the first request names it. */
async function reserveKey(
  entity: SyncedEntity,
  id: string,
  instance: object,
  runner: QueryRunner | undefined,
): Promise<void> {
  const reserved = parseAtUri(recordStateOf(instance).uri)?.rkey ?? entity.newRkey(instance);
  const rows = new RecordRows(entity);
  if (await rows.reserve(open(runner), id, reserved)) entity.show(instance, { rkey: reserved });
  else entity.show(instance, { rkey: (await rows.read(open(runner), [id])).get(id)?.rkey ?? null });
}

/**
 * A record that moves gets a new key, since it may have been there before and have been deleted; one that stays after all keeps its own.
 */
async function renewKey(
  entity: SyncedEntity,
  id: string,
  instance: object,
  runner: QueryRunner | undefined,
): Promise<void> {
  const { uri, rkey } = recordStateOf(instance);
  const published = parseAtUri(uri);
  const address = published && (await entity.addressOf(instance));
  if (!address || (address.did !== published.did) === (rkey !== published.rkey)) return;
  const next = rkey === published.rkey ? entity.newRkey(instance) : published.rkey;
  if (next === rkey) return;
  const rows = new RecordRows(entity);
  if (await rows.renew(open(runner), id, { uri, rkey }, next)) entity.show(instance, { rkey: next });
  else entity.show(instance, (await rows.read(open(runner), [id])).get(id) ?? {});
}

const change = (
  { entity, entityId, instance, origin }: Touch,
  address: Address,
  rest: Pick<Change, 'operation' | 'cid' | 'keepRecord' | 'rowGone'>,
  whole?: object,
): Change => ({
  entity,
  entityId,
  address,
  trigger: 'auto',
  mayExist: false,
  instance,
  whole,
  origin,
  ...rest,
});
