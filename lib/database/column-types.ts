import type { Dialect } from './tables.js';

/** What a column of the module's tables holds; each database has its type for it. */
export type ColumnKind = `key(${number})` | 'text' | 'json' | 'int' | 'time' | 'bool';

export interface ColumnType {
  readonly type: 'text' | 'varchar' | 'longtext' | 'integer' | 'int' | 'bigint' | 'boolean' | 'tinyint';
  readonly length?: string;
  readonly charset?: string;
  readonly collation?: string;
}

/**
 * Keys compare byte by byte: record keys are case-sensitive, which MySQL would not be, and the order of a language costs PostgreSQL
 * time at each capture. They are ASCII, so that three of them fit the longest key that MySQL takes. Times are microseconds since
 * 1970, which no session's time zone can bend.
 */
export function columnType(kind: ColumnKind, dialect: Dialect): ColumnType {
  const length = /^key\((\d+)\)$/.exec(kind)?.[1];
  if (length !== undefined) {
    if (dialect === 'postgres') return { type: 'text', collation: 'C' };
    return dialect === 'mysql'
      ? { type: 'varchar', length, charset: 'ascii', collation: 'ascii_bin' }
      : { type: 'varchar' };
  }
  switch (kind) {
    case 'text':
    case 'json':
      return dialect === 'mysql'
        ? { type: kind === 'json' ? 'longtext' : 'text', charset: 'utf8mb4', collation: 'utf8mb4_bin' }
        : { type: 'text' };
    case 'int':
      return { type: dialect === 'mysql' ? 'int' : 'integer' };
    case 'bool':
      return { type: dialect === 'mysql' ? 'tinyint' : 'boolean' };
    default:
      return { type: 'bigint' };
  }
}
