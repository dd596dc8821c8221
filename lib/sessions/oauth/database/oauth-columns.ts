import type { OAuthDialect } from './oauth-tables.js';

/** What a column holds; each database has its type for it. */
export type OAuthColumnKind = `key(${number})` | 'text' | 'time';

export interface OAuthColumnType {
  readonly type: 'text' | 'varchar' | 'longtext' | 'bigint';
  readonly length?: string;
  readonly charset?: string;
  readonly collation?: string;
}

/**
 * Keys compare byte by byte: state keys and DIDs are case-sensitive, which MySQL would not be. Times are microseconds since 1970,
 * which no session's time zone can bend.
 */
export function oauthColumnType(kind: OAuthColumnKind, dialect: OAuthDialect): OAuthColumnType {
  const length = /^key\((\d+)\)$/.exec(kind)?.[1];
  if (length !== undefined) {
    if (dialect === 'postgres') return { type: 'text', collation: 'C' };
    return dialect === 'mysql'
      ? { type: 'varchar', length, charset: 'ascii', collation: 'ascii_bin' }
      : { type: 'varchar' };
  }
  if (kind === 'time') return { type: 'bigint' };
  return dialect === 'mysql'
    ? { type: 'longtext', charset: 'utf8mb4', collation: 'utf8mb4_bin' }
    : { type: 'text' };
}
