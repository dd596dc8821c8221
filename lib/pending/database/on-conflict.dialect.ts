import { assignments, recaptured } from './capture-sql.js';
import { inserted, SqlDialect, type RowUpdate } from './dialect.js';
import { canBeTaken } from './lane-row.js';

/** What PostgreSQL and SQLite have in common: `ON CONFLICT`, `RETURNING`, and partial indexes. */
export abstract class OnConflictDialect extends SqlDialect {
  private readonly updates = new Map<RowUpdate, { plain: string; fenced: string }>();

  protected readonly recapture =
    'ON CONFLICT (rkey, did, collection) DO UPDATE SET ' +
    assignments(
      recaptured(
        (column) => `l.${column}`,
        (column) => `excluded.${column}`,
      ),
    );

  /** Takes a lane. */
  protected takeText(anyway: boolean): string {
    const row = { did: '$1', token: '1', leased: 'TRUE', ready_at: '$now + $2' };
    const text = this.upsertLane(row, (old) => ({
      token: `${old('token')} + 1`,
      leased: 'TRUE',
      owed: old('ready_at'),
      ready_at: '$now + $2',
      wakes: '0',
    }));
    return `${text} WHERE ${canBeTaken((column) => `l.${column}`, anyway)}`;
  }

  upsertRow(
    table: string,
    key: string,
    row: Readonly<Record<string, string>>,
    update: (
      old: (column: string) => string,
      fresh: (column: string) => string,
    ) => Readonly<Record<string, string>>,
    from?: string,
  ): string {
    const set = update(
      (column) => `l.${column}`,
      (column) => `excluded.${column}`,
    );
    return `INSERT INTO ${table} AS l ${inserted(row, from)} ON CONFLICT (${key}) DO UPDATE SET ${assignments(set)}`;
  }

  /** The condition leaves the rows as they are. They are locked all the same. */
  insertOrLock(table: string, key: string, row: Readonly<Record<string, string>>, from: string): string {
    return `${this.upsertRow(table, key, row, (old) => ({ [key]: old(key) }), from)} WHERE FALSE`;
  }

  /** Goes from one DID to the next through the index, however many rows each has pending. */
  pendingDids(lane: string, entry: string): string {
    const next = (after: string): string =>
      `SELECT min(l.did) FROM ${this.ledger} l WHERE ${after}l.pending_since IS NOT NULL`;
    return (
      `WITH RECURSIVE walk(did) AS (${next('')} UNION ALL SELECT (${next('l.did > w.did AND ')}) FROM walk w WHERE w.did IS NOT NULL) ` +
      `SELECT w.did FROM walk w LEFT JOIN ${this.lane} a ON a.did = w.did WHERE w.did IS NOT NULL AND ${lane} ` +
      `AND EXISTS (SELECT 1 FROM ${this.ledger} l WHERE l.did = w.did AND l.pending_since IS NOT NULL AND ${entry}) LIMIT $1`
    );
  }

  protected abstract updateTexts(update: RowUpdate): { plain: string; fenced: string };

  protected texts(update: RowUpdate): { plain: string; fenced: string } {
    let texts = this.updates.get(update);
    if (!texts) this.updates.set(update, (texts = this.updateTexts(update)));
    return texts;
  }
}
