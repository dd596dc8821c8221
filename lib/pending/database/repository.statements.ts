import { assignments } from './capture-sql.js';
import type { SqlDialect } from './dialect.js';

/** The columns of a new repository, unless the statement sets them. */
export const NEW_REPOSITORY = {
  ours: 'FALSE',
  status: "'active'",
  asked: '0',
  failures: '0',
  token: '0',
};

/** An import that is due already keeps its place. */
const due = (old: (column: string) => string): Record<string, string> => ({
  import_at: `CASE WHEN ${old('import_at')} <= $now THEN ${old('import_at')} ELSE $now END`,
  asked: `${old('asked')} + 1`,
});

/** If it was asked for again while it ran, an import stays due. */
const ended = (next: string): string => `CASE WHEN asked > 0 THEN import_at ELSE ${next} END`;

const isHeld = 'did = $1 AND token = $2 AND leased_until IS NOT NULL';

/** The statements on what is known of accounts. */
export function repositoryStatements(dialect: SqlDialect) {
  const { repository, source, lane } = dialect;
  const row = { did: '$1', ...NEW_REPOSITORY };
  return {
    find:
      'SELECT did, ours, status, handle, pds, rev, collections, imported_at, import_at, counts, last_error, failures ' +
      `FROM ${repository} WHERE did = $1`,
    /** An account that was ever published for has a lane. */
    ours: `SELECT did FROM ${repository} WHERE ours UNION SELECT did FROM ${lane} WHERE did <> $1 ORDER BY did`,
    signedIn: dialect.upsertRow(repository, 'did', { ...row, ours: 'TRUE' }, () => ({ ours: 'TRUE' })),
    signedInAndDue: dialect.upsertRow(
      repository,
      'did',
      { ...row, ours: 'TRUE', import_at: '$now', asked: '1' },
      (old) => ({ ours: 'TRUE', ...due(old) }),
    ),
    due: dialect.upsertRow(
      repository,
      'did',
      { ...row, did: 'd.did', import_at: '$now', asked: '1' },
      due,
      dialect.table(1, 'd', { did: 'key' }),
    ),
    allDue: `UPDATE ${repository} SET ${assignments(due((column) => column))} WHERE ours OR imported_at IS NOT NULL`,
    dueImports:
      `SELECT did FROM ${repository} WHERE import_at <= $now AND (leased_until IS NULL OR leased_until <= $now) ` +
      'ORDER BY import_at, did LIMIT $1',
    imported:
      `UPDATE ${repository} SET rev = $3, counts = $4, collections = $5, imported_at = $now, import_at = ${ended('NULL')}, ` +
      `last_error = NULL, failures = 0, leased_until = NULL WHERE ${isHeld}`,
    failed:
      `UPDATE ${repository} SET last_error = $3, import_at = ${ended('$now + $4')}, failures = failures + 1, ` +
      `leased_until = NULL WHERE ${isHeld}`,
    reset:
      `UPDATE ${repository} SET rev = NULL, collections = NULL, imported_at = NULL, counts = NULL, last_error = NULL, failures = 0 ` +
      'WHERE did = $1',
    /** The values of these columns are `$2`, `$3`, ... */
    update: (columns: readonly string[]) => {
      const set = Object.fromEntries(columns.map((column, index) => [column, `$${index + 2}`]));
      return dialect.upsertRow(repository, 'did', { ...row, ...set }, () => set);
    },
    newRepository: dialect.upsertRow(repository, 'did', row, (old) => ({ did: old('did') })),
    cursor: `SELECT position, position_at FROM ${source} WHERE name = $1`,
    keepCursor:
      `UPDATE ${source} SET position = $3, position_at = $now ` +
      'WHERE name = $1 AND token = $2 AND leased_until IS NOT NULL',
    newSource: dialect.upsertRow(source, 'name', { name: '$1', token: '0' }, (old) => ({
      name: old('name'),
    })),
  };
}
