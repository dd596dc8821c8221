import type { DialectName } from './dialect.js';

/** The content of a column of the module's tables; each database has its type for it. */
export type ColumnKind = `key(${number})` | 'text' | 'json' | 'int' | 'time' | 'bool';

export interface ColumnType {
  readonly type: 'text' | 'varchar' | 'longtext' | 'integer' | 'int' | 'bigint' | 'boolean' | 'tinyint';
  readonly length?: string;
  readonly charset?: string;
  readonly collation?: string;
}

/**
 * - Keys compare byte by byte: record keys, DIDs and state keys are case-sensitive, which MySQL's default is
 *   not, and a linguistic collation costs PostgreSQL time at each capture.
 * - Keys are ASCII, so that three of them fit the longest key that MySQL takes.
 * - Times are microseconds since 1970, which do not depend on the time zone of a database session.
 */
export function columnType(kind: ColumnKind, dialect: DialectName): ColumnType {
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
