import { In, type DataSource, type EntityMetadata, type FindOptionsWhere } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { isPlainObject } from './plain-object.js';

/**
 * The primary key of one entity class, in memory and as a string: the id by which the module names its rows.
 */
export class EntityKey {
  constructor(
    private readonly dataSource: DataSource,
    private readonly metadata: EntityMetadata,
  ) {}

  /** A single key as it is, a composite key as the JSON of its values; null while a value is missing. */
  idOf(entity: object): string | null {
    return this.idOfValues(
      this.metadata.primaryColumns.map((column) => column.getEntityValue(entity) as unknown),
    );
  }

  /** The id of a row with these values of the primary key columns; null while one is missing. */
  idOfValues(key: readonly unknown[]): string | null {
    const values = this.metadata.primaryColumns.map((column, index) => this.nameOf(key[index], column));
    if (values.includes(null)) return null;
    return values.length === 1 ? String(values[0]) : JSON.stringify(values);
  }

  /** A value of a key as the row has it; callers may give another form, such as a UUID in capitals. */
  asInRow(value: unknown, column: ColumnMetadata | undefined): unknown {
    const isGiven = value !== undefined && value !== null;
    const isChanged = typeof value === 'string' || value instanceof Date || column?.transformer !== undefined;
    if (!column || !isGiven || !isChanged) return value;
    const { driver } = this.dataSource;
    const row: unknown = driver.prepareHydratedValue(driver.preparePersistentValue(value, column), column);
    return typeof row === 'string' && driver.normalizeType(column) === 'uuid' ? row.toLowerCase() : row;
  }

  /** The values of the primary key columns, in their order. */
  valuesOf(id: string): unknown[] {
    const { primaryColumns } = this.metadata;
    const values = primaryColumns.length === 1 ? [id] : (JSON.parse(id) as unknown[]);
    return primaryColumns.map((column, index) => this.valueOf(values[index], column));
  }

  /** The primary key as TypeORM's id map. */
  mapOf(id: string): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    const values = this.valuesOf(id);
    this.metadata.primaryColumns.forEach((column, index) =>
      mergeDeep(map, column.createValueMap(values[index])),
    );
    return map;
  }

  /** The id of a row once these values are written to it; null if one of them is SQL of the caller. */
  idAfter(id: string, written: object): string | null {
    const before = this.valuesOf(id);
    const key = this.metadata.primaryColumns.map((column, index): unknown => {
      const value: unknown = column.getEntityValue(written);
      return value === undefined ? before[index] : value;
    });
    return key.some((value) => typeof value === 'function') ? null : this.idOfValues(key);
  }

  whereIds(ids: readonly string[]): FindOptionsWhere<object> | FindOptionsWhere<object>[] {
    const [key, ...others] = this.metadata.primaryColumns;
    if (!key || others.length > 0) return ids.map((id) => this.mapOf(id));
    return key.createValueMap(In(ids.map((id) => this.valuesOf(id)[0]))) as FindOptionsWhere<object>;
  }

  /** A value of a key as JSON has it; null where there is none, or none that could be read back. */
  private nameOf(given: unknown, column: ColumnMetadata): string | number | boolean | null {
    const value = this.asInRow(given, column);
    // An object of one of the application's classes is named as its transformer stores it.
    const isStored = typeof value === 'object' && value !== null && column.transformer !== undefined;
    return primitive(
      isStored ? (this.dataSource.driver.preparePersistentValue(value, column) as unknown) : value,
      this.kindOf(column),
    );
  }

  /** The reverse of {@link nameOf}. */
  private valueOf(name: unknown, column: ColumnMetadata): unknown {
    const kind = this.kindOf(column);
    const stored = kind.read(name);
    if (!column.transformer) return stored;
    const { driver } = this.dataSource;
    for (const value of [name, stored]) if (this.isInMemory(value, column)) return value;
    return driver.prepareHydratedValue(stored, column) as unknown;
  }

  /** Whether a transformer gives this value, rather than stores it. */
  private isInMemory(value: unknown, column: ColumnMetadata): boolean {
    try {
      return this.asInRow(value, column) === value;
    } catch {
      // The transformer takes objects only.
      return false;
    }
  }

  private kindOf(column: ColumnMetadata): KeyKind {
    const type = column.type === Boolean ? 'boolean' : this.dataSource.driver.normalizeType(column);
    return KINDS.find(({ types }) => types.test(type)) ?? TEXT;
  }
}

/** How drivers take and give the values of a key column. */
interface KeyKind {
  readonly types: RegExp;
  /** The reverse of {@link primitive}. */
  read(name: unknown): unknown;
  /** Drivers give such a number as a number or as text, so it is named as text. */
  readonly asText?: true;
}

const TEXT: KeyKind = { types: /^/, read: (name) => name };
const KINDS: readonly KeyKind[] = [
  { types: /^(datetime|timestamp)/, read: (name) => new Date(String(name)) },
  { types: /blob|binary|bytea|^raw/, read: (name) => Buffer.from(String(name), 'hex') },
  { types: /^bool/, read: (name) => String(name) === 'true' },
  { types: /^(bigint|int8)/, read: (name) => name, asText: true },
];

function primitive(value: unknown, { asText }: KeyKind): string | number | boolean | null {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'bigint' || (typeof value === 'number' && asText)) return String(value);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}

function mergeDeep(into: Record<string, unknown>, from: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(from)) {
    const present = into[key];
    if (isPlainObject(present) && isPlainObject(value)) mergeDeep(present, value);
    else into[key] = value;
  }
}
