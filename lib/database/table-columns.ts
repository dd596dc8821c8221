import type { DataSource, EntitySchemaColumnOptions } from 'typeorm';
import { columnType, type ColumnKind } from './column-types.js';
import type { Dialect } from './dialect.js';

/** Columns by their name in the database, as the entities and the migrations of the module declare them. */
export type TableColumns = Readonly<Record<string, ColumnKind | `${ColumnKind} ${'null' | 'primary'}`>>;

/** For an `EntitySchema`, which TypeORM builds before it knows the database; see {@link fitColumns}. */
export const schemaColumns = (columns: TableColumns): Record<string, EntitySchemaColumnOptions> =>
  Object.fromEntries(
    parsed(columns).map(([name, kind, isPrimary, isNullable]) => [
      name,
      { name, type: columnType(kind, 'sqlite').type, primary: isPrimary, nullable: isNullable },
    ]),
  );

/** For a `Table` of a migration. */
export const tableColumns = (columns: TableColumns, { name: dialect }: Dialect) =>
  parsed(columns).map(([name, kind, isPrimary, isNullable]) =>
    Object.assign({ name, isPrimary, isNullable }, columnType(kind, dialect)),
  );

/**
 * Gives the columns of an entity the types of its database. TypeORM builds the metadata of an entity without
 * knowing the database. Between that and the comparison with the schema it calls `useDataSource`, which calls
 * this.
 */
export function fitColumns(
  dataSource: DataSource,
  target: Function,
  columns: TableColumns,
  { name: dialect }: Dialect,
): void {
  const kinds = new Map(parsed(columns).map(([name, kind]) => [name, kind]));
  for (const column of dataSource.getMetadata(target).columns) {
    const kind = kinds.get(column.propertyName);
    if (kind) Object.assign(column, columnType(kind, dialect));
  }
}

const parsed = (columns: TableColumns) =>
  Object.entries(columns).map(([name, definition]) => {
    const [kind, rest] = definition.split(' ') as [ColumnKind, string?];
    return [name, kind, rest === 'primary', rest === 'null'] as const;
  });
