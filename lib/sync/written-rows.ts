import { recordStateOf } from '../metadata/record-state.js';
import { RecordRows } from '../entities/record-row.js';
import type { RowAccess } from '../database/row-access.js';
import type { RecordRow } from '../entities/row-write.js';
import { parseAtUri } from '../model/address.js';
import type { EntityWrite } from './change.js';
import type { SettledVersions } from './settled-versions.js';

/** Of which the row is read. */
export const withoutStored = (write: EntityWrite): EntityWrite => ({ ...write, stored: undefined });

/** Whether touches say all that their rows would: nothing has to be read to resolve them. */
export const areKnown = (writes: readonly EntityWrite[], versions: SettledVersions | undefined): boolean =>
  lastWrites(writes)[1].every((write) => isFresh(write, versions) && told(write) !== null);

/** Whether the record columns are known as well: no worker can have written them since. */
const isFresh = (
  { inserted, before, stored }: EntityWrite,
  versions: SettledVersions | undefined,
): boolean => {
  if (inserted) return recordStateOf(stored ?? {}).rkey !== null;
  if (!before || !versions || before.row.rkey === null) return false;
  // The account of a row without a record is not known yet.
  const did = parseAtUri(before.row.uri)?.did;
  return (did === undefined ? versions.now : versions.of(did)) <= before.version;
};

/**
 * The row of a touch, if its address can be told from what its event told: whose record it is comes from the
 * row, never from what a caller hung on an instance. Which address a record leaves, and which key it has for
 * good, only the stored row tells.
 */
function told({ entity, stored, inserted, before }: EntityWrite): object | null {
  if (!stored || entity.hasLoadHooks || (inserted ? entity.hasFixedRkey : entity.sync.followOwner))
    return null;
  return before?.row.uri || entity.isOwnerInRow(stored) ? stored : null;
}

/**
 * An entity that was written and then removed is removed; one that was removed and then inserted again is
 * both.
 */
export function lastWrites(
  writes: readonly EntityWrite[],
): [removals: readonly EntityWrite[], written: readonly EntityWrite[]] {
  if (writes.length === 1) return writes[0]?.removal ? [writes, []] : [[], writes];
  const removals: EntityWrite[] = [];
  const written = new Map<string, EntityWrite>();
  for (const write of writes) {
    const key = `${write.entity.name} ${write.entityId}`;
    const before = written.get(key);
    if (write.removal) {
      written.delete(key);
      removals.push(write);
    } else {
      written.set(key, before ? joined(before, write) : write);
    }
  }
  return [removals, [...written.values()]];
}

const joined = (before: EntityWrite, write: EntityWrite): EntityWrite => ({
  ...write,
  instance: write.instance ?? before.instance,
  inserted: write.inserted || (before.inserted && !write.before?.row.uri),
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
  writes: readonly EntityWrite[],
  access: RowAccess | undefined,
  versions: SettledVersions | undefined,
): Promise<[EntityWrite, Seen][]> {
  const seen = new Map<EntityWrite, Seen>();
  const unread: EntityWrite[] = [];
  const unfresh: EntityWrite[] = [];
  for (const write of writes) {
    const row = told(write);
    if (!row) unread.push(write);
    else if (!isFresh(write, versions)) unfresh.push(write);
    else {
      if (!write.inserted && write.before) show(write, row, write.before.row);
      seen.set(write, { row, isRow: false });
    }
  }
  if (seen.size === writes.length) return [...seen];
  for (const [entity, group] of Map.groupBy(unfresh, (write) => write.entity)) {
    // A worker may have written the record columns since the update read them.
    const ids = group.map(({ entityId }) => entityId);
    const columns = await open(access).use((runner) => new RecordRows(entity).read(runner, ids));
    for (const write of group) {
      const row = columns.get(write.entityId);
      const { stored } = write;
      if (!row || !stored) continue;
      if (!row.uri && !entity.isOwnerInRow(stored)) unread.push(write);
      else {
        show(write, stored, row);
        seen.set(write, { row: stored, isRow: false });
      }
    }
  }
  for (const [entity, group] of Map.groupBy(unread, (write) => write.entity)) {
    const ids = group.map(({ entityId }) => entityId);
    const rows = await open(access).use((runner) => entity.load(ids, runner.manager));
    for (const write of group) {
      const row = rows.get(write.entityId);
      if (!row) continue;
      if (write.instance) entity.show(write.instance, columnsOf(row));
      seen.set(write, { row, isRow: true });
    }
  }
  return writes.flatMap((write) => {
    const one = seen.get(write);
    return one ? [[write, one]] : [];
  });
}

const columnsOf = (row: object): RecordRow => {
  const { uri, cid, rkey } = recordStateOf(row);
  return { uri, cid, rkey };
};

/** An instance that is older than a write-back names a record that is no longer, or not yet, its own. */
function show({ entity, instance }: EntityWrite, row: object, { uri, cid, rkey }: RecordRow): void {
  entity.show(row, { uri, cid, rkey });
  if (instance && instance !== row) entity.show(instance, { uri, cid, rkey });
}
