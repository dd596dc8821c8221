import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { RecordSql } from './record-sql.js';
import { capabilitiesOf } from '../database/capabilities.js';
import { locksRows, type Statement, type SqlScript } from '../database/sql-script.js';
import type { RecordColumns, SyncedEntity } from './synced-entity.js';

export interface RecordRow {
  readonly uri: string | null;
  readonly cid: string | null;
  readonly rkey: string | null;
}

/** What to set in the record columns of a row, if it is still what it was. */
export interface RowWrite {
  readonly id: string;
  readonly set: Readonly<Partial<Record<keyof RecordColumns, unknown>>>;
  readonly was: Readonly<Partial<Record<GuardName, string | null>>>;
}

/** The record columns that a write may depend on. */
type GuardName = 'uri' | 'cid' | 'rkey';

/** A {@link RowWrite} of a record key. */
export interface KeyWrite extends RowWrite {
  readonly set: { readonly rkey: string };
}

/**
 * The record is at `uri` now; not for a row that no longer holds the record key of that address.
 *
 * @param was the uri that the row had when that was decided: another account's worker may have given it one
 *   meanwhile; and the CID, where the row may have followed another application's edit meanwhile
 */
export const published = (
  id: string,
  { uri, cid, rkey }: RecordRow,
  syncedAt: Date,
  was: { readonly uri: string | null; readonly cid?: string | null },
): RowWrite => ({ id, set: { uri, cid, syncedAt }, was: { ...was, rkey } });

/**
 * The record at the row's address is deleted. `next` is reserved for the next one, because a late request may
 * still name the old key; null keeps the key (it is fixed, or the record has moved to another account).
 */
export function unpublished(
  id: string,
  { uri, rkey }: Pick<RecordRow, 'uri' | 'rkey'>,
  next: string | null,
): RowWrite {
  const cleared = { uri: null, cid: null, syncedAt: null };
  return next === null
    ? { id, set: cleared, was: { uri, rkey } }
    : { id, set: { ...cleared, rkey: next }, was: { rkey } };
}

/** Whether a row is still what a write to it takes it for. */
export const isAsBefore = (row: RecordRow, { was }: RowWrite): boolean =>
  Object.entries(was).every(([name, value]) => row[name as keyof RecordRow] === value);

/** A key for a row that has none: it is older than the record columns. */
export const reserved = (id: string, rkey: string): KeyWrite => ({ id, set: { rkey }, was: { rkey: null } });

/** Another key for the row's next address. */
export const renewed = (
  id: string,
  { uri, rkey }: Pick<RecordRow, 'uri' | 'rkey'>,
  next: string,
): KeyWrite => ({ id, set: { rkey: next }, was: { uri, rkey } });

/**
 * Writes the record columns of a row, by SQL of its own: they are `update: false`, so TypeORM cannot write
 * them, and a write of ours raises no event and touches no version or update-date column. It waits for no
 * transaction that holds the row: on MySQL and MariaDB that takes two statements, which have to be in one
 * transaction.
 *
 * @returns false if the row is gone, or not what it was, or held by another transaction
 */
export function* writeRow(entity: SyncedEntity, write: RowWrite): SqlScript<boolean> {
  const update = rowUpdate(entity, write);
  if (!update) return (yield* writeRows(entity, [write])).size > 0;
  return (yield update).affected > 0;
}

/** {@link writeRow} as one statement, which ends with its condition; null: it takes more than one. */
export function rowUpdate(entity: SyncedEntity, write: RowWrite): Statement | null {
  if (!writesAtOnce(entity)) return null;
  return updateOf(entity, [write], (sql) => {
    // In the order of the text, which is that of the parameters.
    const parts = [
      sql.key(write.id),
      ...wasOf(write).map(([name, value]) => sql.equals(entity.columns[name], value)),
    ];
    const condition = parts.join(' AND ');
    return locksRows(entity.dataSource) ? sql.unlocked(condition) : condition;
  });
}

/** Whether {@link writeRow} is one statement, which needs no transaction. */
export const writesAtOnce = ({ dataSource }: SyncedEntity): boolean =>
  !locksRows(dataSource) || capabilitiesOf(dataSource).updatesUnlocked;

const wasOf = ({ was }: RowWrite) => Object.entries(was) as [GuardName, string | null][];

/**
 * The same for several rows, as part of a transaction.
 *
 * @returns the ids of the rows that were written: the others are gone, or have changed, or another
 *   transaction holds them
 */
export function* writeRows(entity: SyncedEntity, writes: readonly RowWrite[]): SqlScript<Set<string>> {
  const written = new Set<string>();
  if (!locksRows(entity.dataSource)) {
    for (const write of writes) if (yield* writeRow(entity, write)) written.add(write.id);
    return written;
  }
  const free = yield* freeRows(entity, writes);
  const ids = free.map(({ id }) => id);
  if (ids.length === 0) return written;
  if (!writesAtOnce(entity)) {
    yield updateOf(entity, free, (sql) => sql.keys(ids));
    return new Set(ids);
  }
  // On PostgreSQL a trigger can pass over a row, which the statement does not tell otherwise.
  const { rows } = yield updateOf(entity, free, (sql) => `${sql.keys(ids)} RETURNING ${sql.selectedKey}`);
  const sql = new RecordSql(entity);
  for (const row of rows) written.add(sql.idOf(row));
  return written;
}

const GUARDS: readonly GuardName[] = ['uri', 'cid', 'rkey'];

/**
 * The writes whose rows are what they were, and which no other transaction holds: until the end of this one
 * none does.
 */
export function* freeRows(entity: SyncedEntity, writes: readonly RowWrite[]): SqlScript<readonly RowWrite[]> {
  if (!locksRows(entity.dataSource)) return writes;
  const { columns, dataSource } = entity;
  const sql = new RecordSql(entity);
  const guards = GUARDS.map((name) => `${sql.name(columns[name])} AS ${sql.escape(name)}`);
  const { rows } = yield sql.statement(
    `SELECT ${[sql.selectedKey, ...guards].join(', ')} FROM ${tableByKey(entity, sql)} ` +
      `WHERE ${sql.keys(writes.map(({ id }) => id))} ` +
      // As an UPDATE locks them: who inserts a row that refers to one of these is not in the way.
      `FOR ${capabilitiesOf(dataSource).hasWeakLocks ? 'NO KEY ' : ''}UPDATE SKIP LOCKED`,
  );
  const found = new Map(rows.map((row) => [sql.idOf(row), row]));
  return writes.filter((write) => {
    const row = found.get(write.id);
    return (
      row &&
      wasOf(write).every(
        ([name, value]) => dataSource.driver.prepareHydratedValue(row[name], columns[name]) === value,
      )
    );
  });
}

function updateOf(
  entity: SyncedEntity,
  writes: readonly RowWrite[],
  condition: (sql: RecordSql) => string,
): Statement {
  const sql = new RecordSql(entity);
  const assignments = Object.entries(entity.columns).flatMap(
    ([name, column]: [string, ColumnMetadata | undefined]) => {
      const values = writes.flatMap(({ id, set }) =>
        name in set ? [[id, set[name as keyof RecordColumns]] as const] : [],
      );
      return column && values.length > 0
        ? [`${sql.name(column)} = ${valueOf(sql, column, values, writes.length)}`]
        : [];
    },
  );
  // MySQL and MariaDB would set these of their own accord (ON UPDATE CURRENT_TIMESTAMP).
  const kept = entity.metadata.columns
    .filter(({ isUpdateDate, onUpdate }) => isUpdateDate || onUpdate)
    .map((column) => `${sql.name(column)} = ${sql.name(column)}`);
  const table = writes.length > 1 ? tableByKey(entity, sql) : sql.table;
  return sql.statement(`UPDATE ${table} SET ${[...assignments, ...kept].join(', ')} WHERE ${condition(sql)}`);
}

/** One value for all rows, or each row's own. */
function valueOf(
  sql: RecordSql,
  column: ColumnMetadata,
  values: readonly (readonly [id: string, value: unknown])[],
  rows: number,
): string {
  const [first] = values;
  if (first && values.length === rows && values.every(([, value]) => value === first[1]))
    return sql.value(column, first[1]);
  return sql.valueById(column, values);
}

/** MySQL would look through a small table, and lock all of it. */
const tableByKey = ({ dataSource }: SyncedEntity, sql: RecordSql): string =>
  capabilitiesOf(dataSource).needsIndexHint ? `${sql.table} FORCE INDEX (PRIMARY)` : sql.table;
