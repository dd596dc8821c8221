import type { QueryRunner } from 'typeorm';
import { assignments, CAPTURED, recaptured } from './capture-sql.js';
import type { SqlScript } from '../../database/sql-script.js';
import type { Connection, Query } from '../../database/connection.js';
import {
  CAPTURE_FIELDS,
  hasKey,
  inserted,
  KEY_FIELDS,
  keysOf,
  NEW_LANE,
  SqlDialect,
  UPDATE_FIELDS,
  versionOf,
  type AskedLane,
  type Fence,
  type FieldType,
  type RowUpdate,
  type TakenLane,
  type Updated,
  type UpdateRow,
} from './dialect.js';
import { canBeTaken, taken, type TakenRow } from './lane-row.js';
import type { CaptureRow, LedgerRow } from './ledger-row.js';

const KEY = 'VARCHAR(512) CHARACTER SET ascii COLLATE ascii_bin';
const TEXT = 'TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';
const types: Record<FieldType, string> = { key: KEY, text: TEXT, json: `LONG${TEXT}`, int: 'INT' };

/** MySQL from 8, MariaDB from 10.6, for JSON_TABLE and SKIP LOCKED. */
export class MysqlDialect extends SqlDialect {
  override readonly updatesAtOnce = false;

  private readonly captureText =
    `INSERT INTO ${this.ledger} (${Object.keys(CAPTURED).join(', ')}) SELECT ${Object.values(CAPTURED).join(', ')} ` +
    `FROM ${this.table(1, 'd', CAPTURE_FIELDS)} ON DUPLICATE KEY UPDATE ` +
    assignments(
      recaptured(
        (column) => `${this.ledger}.${column}`,
        (column) => CAPTURED[column] ?? '',
      ),
      `${this.ledger}.`,
    );

  private readonly takeTexts = { open: this.takeText(false), anyway: this.takeText(true) };

  private readonly enteredText =
    `SELECT ${taken((column) => `a.${column}`)}, e.* FROM ${this.lane} a LEFT JOIN (${this.pendingAt(3)}) e ON TRUE ` +
    'WHERE a.did = $1 AND a.token = $2';

  /** ON DUPLICATE KEY has no condition, so every row is captured. */
  async capture(connection: Connection, rows: readonly CaptureRow[], runner?: QueryRunner): Promise<[]> {
    const work = (query: Query) => query(this.captureText, [JSON.stringify(rows)]);
    await (runner ? work(connection.within(runner)) : connection.use(work));
    return [];
  }

  table(number: number, alias: string, fields: Readonly<Record<string, FieldType>>): string {
    const columns = Object.entries(fields).map(([name, type]) => `${name} ${types[type]} PATH '$.${name}'`);
    return `JSON_TABLE($${number}, '$[*]' COLUMNS (${columns.join(', ')})) AS ${alias}`;
  }

  /**
   * Each statement locks rows by their whole key, and never a range of rows, so that no capture waits for a
   * gap. It locks the lane first, which captures do not touch, and then the rows that no other transaction
   * holds.
   */
  override *update(
    connection: Connection,
    update: RowUpdate,
    rows: readonly UpdateRow[],
    fence?: Fence,
  ): SqlScript<Updated> {
    if (fence) {
      const { did, token } = fence;
      const held = yield connection.statement(
        `SELECT 1 FROM ${this.lane} WHERE did = $1 AND token = $2 AND leased LOCK IN SHARE MODE`,
        [did, token],
      );
      if (held.rows.length === 0) return { held: false, keys: [] };
    }
    const fields = { ...UPDATE_FIELDS, ...update.fields };
    const table = this.table(1, 'd', fields);
    const { rows: free } = yield connection.statement(
      `SELECT ${Object.keys(fields)
        .map((name) => `d.${name}`)
        .join(', ')} FROM ${table} STRAIGHT_JOIN ${this.ledger} l ` +
        `FORCE INDEX (PRIMARY) ON ${this.sameKey} WHERE ${versionOf(update)} AND ${update.where} FOR UPDATE SKIP LOCKED`,
      [JSON.stringify(rows)],
    );
    if (free.length === 0) return { held: true, keys: [] };
    yield connection.statement(
      `UPDATE ${table} STRAIGHT_JOIN ${this.ledger} l FORCE INDEX (PRIMARY) ON ${this.sameKey} SET ${assignments(update.set, 'l.')}`,
      [JSON.stringify(free.map(withoutNulls))],
    );
    return { held: true, keys: keysOf(free) };
  }

  upsertRow(
    table: string,
    _key: string,
    row: Readonly<Record<string, string>>,
    update: (
      old: (column: string) => string,
      fresh: (column: string) => string,
    ) => Readonly<Record<string, string>>,
    from?: string,
  ): string {
    const set = update(
      (column) => `${table}.${column}`,
      (column) => `VALUES(${column})`,
    );
    return `INSERT INTO ${table} ${inserted(row, from)} ON DUPLICATE KEY UPDATE ${assignments(set, `${table}.`)}`;
  }

  /** Not INSERT IGNORE: two transactions that share the lock of a row would each wait for the other's. */
  insertOrLock(table: string, key: string, row: Readonly<Record<string, string>>, from: string): string {
    return this.upsertRow(table, key, row, (old) => ({ [key]: old(key) }), from);
  }

  /** MySQL takes the beginning for a comment, and waits as long as it is configured to. */
  override insertAtOnce(table: string, row: Readonly<Record<string, string>>, from: string): string {
    return `/*M! SET STATEMENT innodb_lock_wait_timeout = 0 FOR */ ${super.insertAtOnce(table, row, from)}`;
  }

  override atKeys(number: number, table = this.ledger): string {
    return `${this.table(number, 'd', KEY_FIELDS)} STRAIGHT_JOIN ${table} l FORCE INDEX (PRIMARY) ON ${this.sameKey}`;
  }

  override lanesOf(number: number): string {
    return `${this.table(number, 'd', { did: 'key' })} STRAIGHT_JOIN ${this.lane} a ON a.did = d.did`;
  }

  /** The entries are read under the lease, together with the lane. */
  override enter(connection: Connection, { keys, ...asked }: AskedLane): Promise<TakenLane | null> {
    return connection.use(async (query) => {
      const token = await this.take(query, asked);
      if (token === null) return null;
      const { rows } = await query(this.enteredText, [asked.did, token, JSON.stringify(keys)]);
      const lane = rows[0] as unknown as TakenRow | undefined;
      return lane ? { lane, entries: rows.filter(hasKey) as unknown as LedgerRow[] } : null;
    });
  }

  /**
   * If several workers create a missing lane at once, InnoDB may end one of them as a deadlock. Another one
   * has the lane then.
   */
  private async take(query: Query, asked: Omit<AskedLane, 'keys'>): Promise<number | null> {
    try {
      return await this.tryTake(query, asked);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ER_LOCK_DEADLOCK') return null;
      throw error;
    }
  }

  private async tryTake(
    query: Query,
    { did, microseconds, anyway }: Omit<AskedLane, 'keys'>,
  ): Promise<number | null> {
    const found = await query(this.takeTexts[anyway ? 'anyway' : 'open'], [did, microseconds]);
    if (found.affected > 0) return found.insertId;
    const row = { ...NEW_LANE, did: '$1', token: '1', leased: 'TRUE', ready_at: '$now + $2' };
    const made = await query(
      `INSERT IGNORE INTO ${this.lane} (${Object.keys(row).join(', ')}) VALUES (${Object.values(row).join(', ')})`,
      [did, microseconds],
    );
    return made.affected > 0 ? 1 : null;
  }

  private takeText(anyway: boolean): string {
    return (
      `UPDATE ${this.lane} SET token = LAST_INSERT_ID(token + 1), leased = TRUE, owed = ready_at, ready_at = $now + $2, wakes = 0 ` +
      `WHERE did = $1 AND ${canBeTaken((column) => column, anyway)}`
    );
  }

  /** Without partial indexes this goes through all pending rows. */
  pendingDids(lane: string, entry: string): string {
    return (
      `SELECT DISTINCT l.did FROM ${this.ledger} l LEFT JOIN ${this.lane} a ON a.did = l.did ` +
      `WHERE l.pending_since IS NOT NULL AND ${lane} AND ${entry} LIMIT $1`
    );
  }
}

/** MariaDB reads a JSON null as the string 'null'. */
const withoutNulls = (row: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
