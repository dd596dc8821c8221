import { recordStateOf } from '../metadata/record-state.js';
import { RecordRows } from '../entities/record-row.js';
import type { RowAccess } from '../database/row-access.js';
import type { RecordRow } from '../entities/row-write.js';
import { parseAtUri } from '../model/address.js';
import type { EntityWrite } from './change.js';
import type { SettledVersions } from './settled-versions.js';

/** Makes the resolver read the row of a write. */
export const withoutStored = (write: EntityWrite): EntityWrite => ({ ...write, stored: undefined });

/**
 * Whether the writes contain all that their rows would show, so that nothing has to be read to resolve them.
 */
export const areKnown = (writes: readonly EntityWrite[], versions: SettledVersions | undefined): boolean =>
  lastWrites(writes)[1].every((write) => isFresh(write, versions) && told(write) !== null);

/** Whether the record columns are known too, because no worker can have written them since. */
const isFresh = (
  { inserted, before, stored }: EntityWrite,
  versions: SettledVersions | undefined,
): boolean => {
  if (inserted) return recordStateOf(stored ?? {}).rkey !== null;
  if (!before || !versions || before.row.rkey === null) return false;
  // The account of a row without a record is not known here, so no account may have had work since.
  const did = parseAtUri(before.row.uri)?.did;
  return (did === undefined ? versions.now : versions.of(did)) <= before.version;
};

/**
 * The row of a write, if the address can be determined from its event. The owner comes from the row, never
 * from what a caller set on an instance. Only the stored row tells which address a record leaves, and which
 * key it has for good.
 */
function told({ entity, stored, inserted, before }: EntityWrite): object | null {
  if (!stored || entity.hasLoadHooks || (inserted ? entity.hasFixedRkey : entity.sync.followOwner))
    return null;
  return before?.row.uri || entity.isOwnerInRow(stored) ? stored : null;
}

/**
 * An entity that was written and then removed counts as removed. One that was removed and then inserted again
 * counts as both.
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

/** What a written entity looks like. */
export interface Seen {
  readonly row: object;
  /** True if it was read from the database, with its relations. Otherwise it is what the event told. */
  readonly isRow: boolean;
}

/** The writes whose rows exist. */
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
    const found = seen.get(write);
    return found ? [[write, found]] : [];
  });
}

const columnsOf = (row: object): RecordRow => {
  const { uri, cid, rkey } = recordStateOf(row);
  return { uri, cid, rkey };
};

/** An instance from before a write-back may name a record that is no longer, or not yet, its own. */
function show({ entity, instance }: EntityWrite, row: object, { uri, cid, rkey }: RecordRow): void {
  entity.show(row, { uri, cid, rkey });
  if (instance && instance !== row) entity.show(instance, { uri, cid, rkey });
}
