import type { QueryRunner } from 'typeorm';
import { assignments, CAPTURED, CAPTURED_UNLESS_SETTLED, LEFT_ALONE } from './capture-sql.js';
import type { SqlScript } from '../../database/sql-script.js';
import type { Connection } from '../../database/connection.js';
import {
  CAPTURE_NAMES,
  captureValues,
  keysOf,
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
import { taken, type TakenRow } from './lane-row.js';
import type { CaptureRow, LedgerRow } from './ledger-row.js';
import { OnConflictDialect } from './on-conflict.dialect.js';
import { SqliteConnection } from '../../database/sqlite.connection.js';

/** A value of the change (`d.r`) as a parameter. */
const given = (value: string): string =>
  value.replace(/\bd\.(\w)\b/g, (_, name) => `$${CAPTURE_NAMES.indexOf(name as keyof CaptureRow) + 1}`);

export class SqliteDialect extends OnConflictDialect {
  private readonly connection = new SqliteConnection(this.dataSource, this.statements);

  private readonly captureText =
    `INSERT INTO ${this.ledger} AS l (${Object.keys(CAPTURED).join(', ')}) ` +
    `VALUES (${Object.values(CAPTURED).map(given).join(', ')}) ${this.recapture}`;

  /**
   * A look first costs less than a condition in the upsert. With one writer, no capture ever waits for a row,
   * so an address without a record needs none.
   */
  private readonly leftText =
    `SELECT ${LEFT_ALONE.replace(/\bexcluded\.(\w+)/g, (_, column: string) => given(CAPTURED_UNLESS_SETTLED[column]!))} AS is_left ` +
    `FROM ${this.ledger} l WHERE l.rkey = ${given('d.r')} AND l.did = ${given('d.d')} AND l.collection = ${given('d.c')}`;

  override readonly forUpdate = '';
  override readonly skipLocked = '';

  private readonly enterTexts = {
    open: `${this.takeText(false)} RETURNING ${taken((column) => column)}`,
    anyway: `${this.takeText(true)} RETURNING ${taken((column) => column)}`,
  };
  private readonly pendingText = this.pendingAt(1);

  private readonly heldText = `SELECT 1 FROM ${this.lane} WHERE did = $2 AND token = $3 AND leased`;

  override connect(): Connection {
    return this.connection;
  }

  async capture(
    _connection: Connection,
    rows: readonly CaptureRow[],
    runner: QueryRunner | undefined,
  ): Promise<CaptureRow[]> {
    const work = (): CaptureRow[] => {
      const left = this.left(rows.filter(({ v }) => v !== 1));
      this.connection.runEach(this.captureText, rows.filter((row) => !left.has(row)).map(captureValues));
      return [...left];
    };
    return runner ? work() : this.connection.whenFree(work);
  }

  private left(asking: readonly CaptureRow[]): Set<CaptureRow> {
    const met = this.connection.runEach(this.leftText, asking.map(captureValues));
    return new Set(asking.filter(({ v }, index) => (met[index] ? met[index]['is_left'] === 1 : v === 0)));
  }

  /**
   * The transaction of another caller on this connection could roll the lease back, and its token would be
   * given out twice. So no lease is given while a transaction is open.
   */
  override enter(_connection: Connection, asked: AskedLane): Promise<TakenLane | null> {
    const { did, keys, microseconds, anyway } = asked;
    return this.connection.whenFree((shared) => {
      if (shared) return null;
      const text = this.enterTexts[anyway ? 'anyway' : 'open'];
      const [lane] = this.connection.run(text, [did, microseconds]).rows as unknown as TakenRow[];
      if (!lane) return null;
      const pending =
        keys.length > 0 ? this.connection.run(this.pendingText, [JSON.stringify(keys)]).rows : [];
      return { lane, entries: pending as unknown as LedgerRow[] };
    });
  }

  table(number: number, alias: string, fields: Readonly<Record<string, FieldType>>): string {
    const columns = Object.keys(fields).map((name) => `value ->> '${name}' AS ${name}`);
    return `(SELECT ${columns.join(', ')} FROM json_each($${number})) AS ${alias}`;
  }

  override *update(
    connection: Connection,
    update: RowUpdate,
    rows: readonly UpdateRow[],
    fence?: Fence,
  ): SqlScript<Updated> {
    const { plain, fenced } = this.texts(update);
    const json = JSON.stringify(rows);
    if (!fence) return { held: true, keys: keysOf((yield connection.statement(plain, [json])).rows) };
    const parameters = [json, fence.did, fence.token];
    const { rows: changed } = yield connection.statement(fenced, parameters);
    const held =
      changed.length > 0 || (yield connection.statement(this.heldText, parameters)).rows.length > 0;
    return { held, keys: keysOf(changed) };
  }

  protected updateTexts(update: RowUpdate): { plain: string; fenced: string } {
    const rows = this.table(1, 'd', { ...UPDATE_FIELDS, ...update.fields });
    const text = (fence: string): string =>
      `UPDATE ${this.ledger} AS l SET ${assignments(update.set)} FROM ${rows} WHERE ${this.sameKey} ` +
      `AND ${versionOf(update)} AND ${update.where}${fence} RETURNING did, collection, rkey`;
    return { plain: text(''), fenced: text(` AND EXISTS (${this.heldText})`) };
  }
}
