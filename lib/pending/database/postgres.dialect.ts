import type { DataSource, QueryRunner } from 'typeorm';
import { assignments, CAPTURED, CAPTURED_UNLESS_SETTLED, LEFT_ALONE } from './capture-sql.js';
import { runStatement, type QueryResult, type Statement, type SqlScript } from '../../database/sql-script.js';
import type { Connection } from '../../database/connection.js';
import {
  CAPTURE_FIELDS,
  captureValues,
  keysOf,
  UPDATE_FIELDS,
  versionOf,
  type Fence,
  type FieldType,
  type RowUpdate,
  type Updated,
  type UpdateRow,
} from './dialect.js';
import { uriOf, type CaptureRow } from './ledger-row.js';
import { OnConflictDialect } from './on-conflict.dialect.js';
import { PreparedStatement } from '../../database/postgres.prepared-statement.js';

const types: Record<FieldType, string> = { key: 'text', text: 'text', int: 'int' };

export class PostgresDialect extends OnConflictDialect {
  /** Taking one row out of JSON would be a fifth of its capture. */
  private readonly captureOne = this.captureTexts(
    `(SELECT ${Object.entries(CAPTURE_FIELDS)
      .map(([name, type], index) => `$${index + 1}::${types[type]} AS ${name}`)
      .join(', ')}) AS d`,
    '$now',
  );
  private readonly captureMany = this.captureTexts(
    this.table(1, 'd', CAPTURE_FIELDS),
    // Once for all rows: it is no cheap sum.
    '(SELECT $now)',
  );
  private readonly known = new Map<string, PreparedStatement>();

  constructor(
    dataSource: DataSource,
    /**
     * Whether the statements that take many rows are prepared; poolers of whole transactions may not know
     * those.
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
    const one = rows.length === 1 ? rows[0] : undefined;
    const text = (one ? this.captureOne : this.captureMany)[asks ? 'unlessSettled' : 'plain'];
    const parameters = one ? captureValues(one) : [JSON.stringify(rows)];
    const statement = this.prepared(connection.statement(text, parameters));
    const result = await (runner ? runStatement(statement, runner) : connection.inTurn(alone(statement)));
    if (!asks) return [];
    const captured = result.rows.filter(({ version }) => Number(version) > 0) as unknown as CaptureRow[];
    const uris = new Set(captured.map(uriOf));
    return rows.filter((each) => !uris.has(uriOf(each)));
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
      // Returns what it inserted or captured: with version 0 what it did not capture.
      unlessSettled:
        `${offer(CAPTURED_UNLESS_SETTLED)}${this.recapture} WHERE excluded.version = 1 OR NOT ${LEFT_ALONE} ` +
        'RETURNING did AS d, collection AS c, rkey AS r, version',
    };
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

  /** One row per changed row, one without a key if none was, and none without the lease. */
  protected updateTexts(update: RowUpdate): { plain: string; fenced: string } {
    const rows = this.table(1, 'd', { ...UPDATE_FIELDS, ...update.fields });
    // SKIP LOCKED: what a transaction holds gets a new version by its commit, or is settled in the next
    // round.
    const text = (fence: string): string =>
      `WITH fence AS MATERIALIZED (${fence}), free AS MATERIALIZED (SELECT d.* FROM fence, ${rows} JOIN ${this.ledger} l ` +
      `ON ${this.sameKey} AND ${versionOf(update)} WHERE ${update.where} FOR UPDATE OF l SKIP LOCKED), ` +
      `done AS (UPDATE ${this.ledger} l SET ${assignments(update.set)} FROM free d WHERE ${this.sameKey} ` +
      (update.tellsNoKeys
        ? 'RETURNING 1) SELECT NULL AS did FROM fence'
        : 'RETURNING l.did, l.collection, l.rkey) SELECT done.* FROM fence LEFT JOIN done ON TRUE');
    return {
      plain: text('SELECT 1'),
      fenced: text(`SELECT 1 FROM ${this.lane} WHERE did = $2 AND token = $3 AND leased FOR SHARE`),
    };
  }
}

function* alone(statement: Statement): SqlScript<QueryResult> {
  return yield statement;
}
