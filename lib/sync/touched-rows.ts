import { recordStateOf } from '../metadata/record-state.js';
import { RecordRows } from '../records/record-row.js';
import type { RowAccess } from '../records/row-access.js';
import type { RecordRow } from '../records/row-write.js';
import type { Touch } from './change.js';

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
 * The row of a touch, if its address can be told from what its event told: whose record it is comes from the
 * row, never from what a caller hung on an instance. Which address a record leaves, and which key it has for
 * good, only the stored row tells.
 */
function told({ entity, stored, inserted, before }: Touch): object | null {
  if (!stored || entity.hasLoadHooks || (inserted ? entity.hasFixedRkey : entity.sync.followOwner))
    return null;
  return before?.row.uri || entity.isOwnerInRow(stored) ? stored : null;
}

/**
 * An entity that was written and then removed is removed; one that was removed and then inserted again is
 * both.
 */
export function lastTouches(
  touches: readonly Touch[],
): [removals: readonly Touch[], written: readonly Touch[]] {
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

export function open(rows: RowAccess | undefined): RowAccess {
  if (rows) return rows;
  throw new Error('A row has to be read, and there is no connection to read it on.');
}

/** What a touched entity looks like. */
export interface Seen {
  readonly row: object;
  /** Read from the database, with its relations; otherwise as its event told. */
  readonly isRow: boolean;
}

/** The touches whose rows are there. */
export async function seenOf(
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
  if (seen.size === touches.length) return [...seen];
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
  entity.show(row, { uri, cid, rkey });
  if (instance && instance !== row) entity.show(instance, { uri, cid, rkey });
}
