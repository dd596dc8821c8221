import type { DataSource, QueryRunner } from 'typeorm';
import { assignments, CAPTURED, CAPTURED_UNLESS_SETTLED, LEFT_ALONE } from './capture-sql.js';
import { asScript, runStatement, type Statement, type SqlScript } from '../../database/sql-script.js';
import type { Connection } from '../../database/connection.js';
import {
  CAPTURE_FIELDS,
  captureValues,
  hasKey,
  keysOf,
  UPDATE_FIELDS,
  versionOf,
  type AskedLane,
  type Fence,
  type FieldType,
  type RowSettlement,
  type RowUpdate,
  type TakenLane,
  type Updated,
  type UpdateRow,
} from './dialect.js';
import { taken, type TakenRow } from './lane-row.js';
import { uriOf, type CaptureRow, type LedgerRow } from './ledger-row.js';
import { SETTLE } from './ledger.updates.js';
import { OnConflictDialect } from './on-conflict.dialect.js';
import { PreparedStatement } from '../../database/postgres.prepared-statement.js';

const types: Record<FieldType, string> = { key: 'text', text: 'text', json: 'text', int: 'int' };

export class PostgresDialect extends OnConflictDialect {
  /** For one row, parsing JSON would take a fifth of the capture's time. */
  private readonly captureOne = this.captureTexts(
    `(SELECT ${Object.entries(CAPTURE_FIELDS)
      .map(([name, type], index) => `$${index + 1}::${types[type]} AS ${name}`)
      .join(', ')}) AS d`,
    '$now',
  );
  private readonly captureMany = this.captureTexts(
    this.table(1, 'd', CAPTURE_FIELDS),
    // Computed once for all rows, because it is expensive.
    '(SELECT $now)',
  );
  override readonly skipLocked = ' FOR UPDATE OF l SKIP LOCKED';

  private readonly enterTexts = { open: this.enterText(false), anyway: this.enterText(true) };
  private readonly known = new Map<string, PreparedStatement>();

  constructor(
    dataSource: DataSource,
    /**
     * Whether statements that take many rows are prepared. Poolers that assign a connection per transaction
     * may not support that.
     */
    private readonly prepares: boolean,
  ) {
    super(dataSource);
  }

  async capture(
    connection: Connection,
    rows: readonly CaptureRow[],
    runner?: QueryRunner,
  ): Promise<CaptureRow[]> {
    const asks = rows.some(({ v }) => v !== 1);
    const single = rows.length === 1 ? rows[0] : undefined;
    const text = (single ? this.captureOne : this.captureMany)[asks ? 'unlessSettled' : 'plain'];
    const parameters = single ? captureValues(single) : [JSON.stringify(rows)];
    const statement = this.prepared(connection.statement(text, parameters));
    const result = await (runner ? runStatement(statement, runner) : connection.inTurn(asScript(statement)));
    if (!asks) return [];
    const captured = result.rows.filter(({ version }) => Number(version) > 0) as unknown as CaptureRow[];
    const uris = new Set(captured.map(uriOf));
    return rows.filter((row) => !uris.has(uriOf(row)));
  }

  private captureTexts(offered: string, now: string): { plain: string; unlessSettled: string } {
    const offer = (row: Readonly<Record<string, string>>): string =>
      `INSERT INTO ${this.ledger} AS l (${Object.keys(row).join(', ')}) SELECT ` +
      Object.values(row)
        .map((value) => (/^d\.[kgxbm]$/.test(value) ? `${value} = 1` : value.replace('$now', now)))
        .join(', ') +
      ` FROM ${offered} `;
    return {
      plain: offer(CAPTURED) + this.recapture,
      // Returns the rows that it inserted or captured. A row of version 0 was inserted without being
      // captured.
      unlessSettled:
        `${offer(CAPTURED_UNLESS_SETTLED)}${this.recapture} WHERE excluded.version = 1 OR NOT ${LEFT_ALONE} ` +
        'RETURNING did AS d, collection AS c, rkey AS r, version',
    };
  }

  override async enter(connection: Connection, asked: AskedLane): Promise<TakenLane | null> {
    const { did, keys, microseconds, anyway } = asked;
    const text = this.enterTexts[anyway ? 'anyway' : 'open'];
    const statement = connection.statement(text, [did, microseconds, JSON.stringify(keys)]);
    const { rows } = await connection.inTurn(asScript(this.prepared(statement)));
    const lane = rows[0] as unknown as (TakenRow & { readonly is_current: boolean }) | undefined;
    if (!lane) return null;
    return { lane, entries: lane.is_current ? (rows.filter(hasKey) as unknown as LedgerRow[]) : null };
  }

  /**
   * The entries are as of the start of the statement, which may then have waited for the former holder of the
   * lane to settle them. They are current only if no worker had the lane at the start, and none has taken it
   * since.
   */
  private enterText(anyway: boolean): string {
    return (
      `WITH seen AS MATERIALIZED (SELECT token, leased FROM ${this.lane} WHERE did = $1), ` +
      `a AS (${this.takeText(anyway)} RETURNING l.*) SELECT ${taken((column) => `a.${column}`)}, ` +
      'a.token = COALESCE(seen.token, 0) + 1 AND seen.leased IS NOT TRUE AS is_current, e.* ' +
      `FROM a LEFT JOIN seen ON TRUE LEFT JOIN (${this.pendingAt(3)}) e ON TRUE`
    );
  }

  /**
   * The first part locks the lane, so that no other worker can take it before the end. The row is written
   * only under that lock, and the entry and the lane only if the row was written.
   */
  override rowSettlement(connection: Connection, parts: RowSettlement): Statement {
    const { row, lane, lease, entries } = parts;
    const count = row.parameters.length;
    const next = count + lane.parameters.length + 1;
    const laneText = lane.text.replaceAll(/\$(\d+)/g, (_, number: string) => `$${Number(number) + count}`);
    const offered = this.table(next, 'd', { ...UPDATE_FIELDS, ...SETTLE.fields });
    const text =
      `WITH parity_lane_held AS MATERIALIZED (${this.heldText(next + 1)} FOR NO KEY UPDATE), ` +
      `parity_row AS (${row.text} AND EXISTS (SELECT 1 FROM parity_lane_held) RETURNING 1), ` +
      `parity_free AS MATERIALIZED (SELECT d.* FROM ${offered} JOIN ${this.ledger} l ON ${this.sameKey} ` +
      'WHERE EXISTS (SELECT 1 FROM parity_row) FOR UPDATE OF l SKIP LOCKED), ' +
      `parity_settled AS (UPDATE ${this.ledger} l SET ${assignments(SETTLE.set)} FROM parity_free d WHERE ${this.sameKey}), ` +
      `parity_lane_left AS (${laneText} AND EXISTS (SELECT 1 FROM parity_row) RETURNING 1) ` +
      'SELECT 1 FROM parity_lane_left';
    const ours = [JSON.stringify(entries), lease.did, lease.token];
    const parameters = [...row.parameters, ...lane.parameters, ...ours];
    return this.prepared(connection.statement(text, parameters));
  }

  /** A tenth of the time after which PostgreSQL looks for a deadlock, and may end the other transaction. */
  override insertAtOnce(table: string, row: Readonly<Record<string, string>>, from: string): string {
    return super.insertAtOnce(
      table,
      row,
      `${from}, (SELECT set_config('lock_timeout', '100', TRUE)) AS patience`,
    );
  }

  /** @param number of the parameter that has the DID; the next one has the token */
  private heldText(number: number): string {
    return `SELECT 1 FROM ${this.lane} WHERE did = $${number} AND token = $${number + 1} AND leased`;
  }

  private prepared(statement: Statement): Statement {
    if (!this.prepares) return statement;
    let prepared = this.known.get(statement.text);
    if (!prepared)
      this.known.set(statement.text, (prepared = new PreparedStatement(this.dataSource, statement.text)));
    return { ...statement, prepared };
  }

  table(number: number, alias: string, fields: Readonly<Record<string, FieldType>>): string {
    const columns = Object.entries(fields).map(([name, type]) => `${name} ${types[type]}`);
    return `json_to_recordset($${number}::json) AS ${alias}(${columns.join(', ')})`;
  }

  override *update(
    connection: Connection,
    update: RowUpdate,
    rows: readonly UpdateRow[],
    fence?: Fence,
  ): SqlScript<Updated> {
    const { plain, fenced } = this.texts(update);
    const json = JSON.stringify(rows);
    const result = yield this.prepared(
      fence
        ? connection.statement(fenced, [json, fence.did, fence.token])
        : connection.statement(plain, [json]),
    );
    return { held: result.rows.length > 0, keys: keysOf(result.rows) };
  }

  /**
   * Returns one row per changed row, one row without a key if none was changed, and no row if the lease is
   * lost.
   */
  protected updateTexts(update: RowUpdate): { plain: string; fenced: string } {
    const rows = this.table(1, 'd', { ...UPDATE_FIELDS, ...update.fields });
    // SKIP LOCKED: a row that another transaction holds gets a new version by its commit, or is settled by
    // the next attempt.
    const text = (fence: string): string =>
      `WITH fence AS MATERIALIZED (${fence}), free AS MATERIALIZED (SELECT d.* FROM fence, ${rows} JOIN ${this.ledger} l ` +
      `ON ${this.sameKey} AND ${versionOf(update)} WHERE ${update.where} FOR UPDATE OF l SKIP LOCKED), ` +
      `done AS (UPDATE ${this.ledger} l SET ${assignments(update.set)} FROM free d WHERE ${this.sameKey} ` +
      (update.tellsNoKeys
        ? 'RETURNING 1) SELECT NULL AS did FROM fence'
        : 'RETURNING l.did, l.collection, l.rkey) SELECT done.* FROM fence LEFT JOIN done ON TRUE');
    return {
      plain: text('SELECT 1'),
      fenced: text(`${this.heldText(2)} FOR SHARE`),
    };
  }
}
