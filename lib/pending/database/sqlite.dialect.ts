import type { QueryRunner } from 'typeorm';
import { assignments, CAPTURED, CAPTURED_UNLESS_SETTLED } from './capture-sql.js';
import type { Steps } from '../../records/steps.js';
import { positional, Statements, type Connection, type Query } from './connection.js';
import {
  keysOf,
  UPDATE_FIELDS,
  versionOf,
  type Fence,
  type FieldType,
  type RowUpdate,
  type Updated,
  type UpdateRow,
} from './dialect.js';
import type { CaptureRow } from './ledger-row.js';
import { OnConflictDialect } from './on-conflict.dialect.js';
import { SqliteConnection } from './sqlite.connection.js';

const FIELDS: readonly (keyof CaptureRow)[] = ['d', 'c', 'r', 'n', 'i', 'o', 't', 'h', 'k', 'g', 'b', 'v'];

export class SqliteDialect extends OnConflictDialect {
  private readonly connection = new SqliteConnection(this.dataSource, new Statements(positional()));

  private readonly captureText = this.offer(CAPTURED) + this.recapture;
  private readonly captureUnlessSettledText =
    this.offer(CAPTURED_UNLESS_SETTLED) + this.recaptureUnlessSettled;

  override readonly forUpdate = '';

  private readonly heldText = `SELECT 1 FROM ${this.lane} WHERE did = $2 AND token = $3 AND leased`;

  connect(): Connection {
    return this.connection;
  }

  async capture(
    _connection: Connection,
    rows: readonly CaptureRow[],
    runner: QueryRunner | undefined,
  ): Promise<CaptureRow[]> {
    const asks = rows.some(({ v }) => v !== 1);
    const text = asks ? this.captureUnlessSettledText : this.captureText;
    const values = rows.map((row) => FIELDS.map((field) => row[field] ?? null));
    const work = () => this.connection.runEach(text, values);
    const captured = runner ? work() : await this.connection.whenFree(work);
    return asks ? rows.filter((_, index) => !captured[index]?.['version']) : [];
  }

  private offer(row: Readonly<Record<string, string>>): string {
    const values = Object.values(row).map((value) =>
      value.replace(/\bd\.(\w)\b/g, (_, name) => `$${FIELDS.indexOf(name as keyof CaptureRow) + 1}`),
    );
    return `INSERT INTO ${this.ledger} AS l (${Object.keys(row).join(', ')}) VALUES (${values.join(', ')}) `;
  }

  /** A lease that is rolled back with a stranger's transaction would give its token out twice: then there is none. */
  override lease(_query: Query, did: string, microseconds: number): Promise<number | null> {
    return this.connection.whenFree((shared) => {
      if (shared) return null;
      const [row] = this.connection.run(this.leaseText, [did, microseconds]).rows;
      return row ? Number(row['token']) : null;
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
  ): Steps<Updated> {
    const { plain, fenced } = this.texts(update);
    const json = JSON.stringify(rows);
    if (!fence) return { held: true, keys: keysOf((yield connection.step(plain, [json])).rows) };
    const parameters = [json, fence.did, fence.token];
    const { rows: changed } = yield connection.step(fenced, parameters);
    const held = changed.length > 0 || (yield connection.step(this.heldText, parameters)).rows.length > 0;
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
