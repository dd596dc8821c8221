import type { EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { isPlainObject } from './plain-object.js';
import { onlyRowTells, neededColumns } from './relation-tree.js';
import { hide } from './whole-rows.js';

/**
 * A row as an instance of its own. It has the mapped columns and nothing that a caller hung on another
 * instance, and it keeps them when the caller changes that instance.
 *
 * @param valueOf undefined where the value in the row is not known
 * @returns undefined if one of the columns is not known
 */
export function snapshotOf(
  metadata: EntityMetadata,
  valueOf: (column: ColumnMetadata) => unknown,
): object | undefined {
  if (typeof metadata.target !== 'function' || onlyRowTells(metadata)) return undefined;
  // Made like a loaded row: a constructor may demand arguments (`entitySkipConstructor`).
  const row = metadata.create(undefined, { fromDeserializer: true }) as object;
  for (const column of neededColumns(metadata)) {
    const value = valueOf(column);
    // A function gives SQL, whose value the database computes.
    if (value === undefined || typeof value === 'function') return undefined;
    column.setEntityValue(row, copied(value));
  }
  const { deleteDateColumn } = metadata;
  // TypeORM leaves it undefined after an insert.
  deleteDateColumn?.setEntityValue(row, copied(valueOf(deleteDateColumn) ?? null));
  hide(row, metadata.columns);
  return row;
}

/**
 * Whether TypeORM or the database sets a column in an update by itself, and then shows it on the caller's
 * instance.
 */
export const isSetByUpdate = ({ isUpdateDate, isVersion, onUpdate }: ColumnMetadata): boolean =>
  isUpdateDate || isVersion || onUpdate !== undefined;

/** Copies values that can be changed in place, except instances of the application's own classes. */
const copied = (value: unknown): unknown => {
  if (value instanceof Date) return new Date(value);
  return Array.isArray(value) || isPlainObject(value) ? structuredClone(value) : value;
};
