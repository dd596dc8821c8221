import type { DataSource, QueryRunner } from 'typeorm';
import type { Address } from '../../model/address.js';
import type { TakenRow } from './lane-row.js';
import { LEDGER_COLUMNS, type CaptureRow, type LedgerRow } from './ledger-row.js';
import type { QueryResult, SqlScript, Statement } from '../../database/sql-script.js';
import type { Connection } from '../../database/connection.js';
import { escapedTable } from '../../database/tables.js';
import { LANE, LEDGER } from './ledger-tables.js';

/** Of a row that is handed over as JSON. */
export type FieldType = 'key' | 'text' | 'int';

const KEY_FIELDS = { did: 'key', collection: 'key', rkey: 'key' } as const;
export const UPDATE_FIELDS = { ...KEY_FIELDS, version: 'int' } as const;

export const CAPTURE_FIELDS: Readonly<Record<keyof CaptureRow, FieldType>> = {
  d: 'key',
  c: 'key',
  r: 'key',
  n: 'text',
  i: 'text',
  o: 'key',
  t: 'key',
  h: 'key',
  k: 'int',
  g: 'int',
  x: 'int',
  b: 'int',
  m: 'int',
  v: 'int',
};
export const CAPTURE_NAMES = Object.keys(CAPTURE_FIELDS) as (keyof CaptureRow)[];

/** Of one row, in the order of {@link CAPTURE_FIELDS}. */
export const captureValues = (row: CaptureRow): unknown[] => CAPTURE_NAMES.map((name) => row[name] ?? null);

/** A change of ledger rows that are still at the version that was read; of the others nothing is changed. */
export interface RowUpdate {
  /** What the rows bring along, beside their key and version. */
  readonly fields: Readonly<Record<string, FieldType>>;
  /** Columns and their values, in terms of the row as it is (`l`) and as it was handed over (`d`). */
  readonly set: Readonly<Record<string, string>>;
  readonly where: string;
  /** Also of rows whose version has moved; `set` tells them apart. */
  readonly anyVersion?: true;
  /** Nobody asks which rows were changed. */
  readonly tellsNoKeys?: true;
}

export const versionOf = ({ anyVersion }: RowUpdate): string =>
  anyVersion ? 'TRUE' : 'l.version = d.version';

/** Key, version and the fields of a {@link RowUpdate}. */
export type UpdateRow = Readonly<Record<string, string | number | undefined>>;

export interface Fence {
  readonly did: string;
  readonly token: number;
}

export interface Updated {
  /** Whether the lease was still held; true without one. */
  readonly held: boolean;
  /** Keys of the rows that were changed. */
  readonly keys: readonly { readonly did: string; readonly collection: string; readonly rkey: string }[];
}

/** A worker wants to take a lane. */
export interface AskedLane {
  readonly did: string;
  /** Where it wants to know what is pending. */
  readonly keys: readonly Address[];
  /** How long it wants the lane. */
  readonly microseconds: number;
  /** Also if the lane is parked, or backs off. */
  readonly anyway: boolean;
}

export interface TakenLane {
  readonly lane: TakenRow;
  /** null: they may be out of date, and have to be read. */
  readonly entries: readonly LedgerRow[] | null;
}

export interface RowSettlement {
  /** An update that ends with its condition; its text is the database's own. */
  readonly row: Statement;
  /** An update of the lane that ends with its condition, for {@link Connection.statement}. */
  readonly lane: Pick<Statement, 'text' | 'parameters'>;
  readonly lease: Fence;
  readonly entries: readonly UpdateRow[];
}

/**
 * What the databases do differently. Statements use `$1` and `$now` (see Query), the ledger as `l` and the
 * lane as `a`.
 */
export abstract class SqlDialect {
  readonly ledger: string;
  readonly lane: string;

  constructor(protected readonly dataSource: DataSource) {
    this.ledger = escapedTable(dataSource, LEDGER);
    this.lane = escapedTable(dataSource, LANE);
  }

  /** @param own the caller's connection, for as long as it waits */
  abstract connect(own: () => QueryRunner | undefined): Connection;

  /**
   * One statement, whatever the number of rows. Gives the rows that were left alone, because what they ask
   * for is settled.
   *
   * @param runner a connection that is in a transaction or not; undefined: one of our own
   */
  abstract capture(
    connection: Connection,
    rows: readonly CaptureRow[],
    runner: QueryRunner | undefined,
  ): Promise<readonly CaptureRow[]>;

  /** JSON objects in the parameter `$number`, as a table. */
  abstract table(number: number, alias: string, fields: Readonly<Record<string, FieldType>>): string;

  /**
   * What is pending at the keys in the parameter `$number`. Without a DID of its own: SQLite would go through
   * all that is pending in the lane, once for every key.
   */
  pendingAt(number: number): string {
    return (
      `SELECT ${LEDGER_COLUMNS} FROM ${this.table(number, 'd', KEY_FIELDS)} JOIN ${this.ledger} l ` +
      `ON ${this.sameKey} WHERE l.pending_since IS NOT NULL`
    );
  }

  /**
   * Changes rows by key and version, under a lease if there is one. Skips what somebody's open transaction
   * holds.
   */
  abstract update(
    connection: Connection,
    update: RowUpdate,
    rows: readonly UpdateRow[],
    fence?: Fence,
  ): SqlScript<Updated>;

  /**
   * An insert of a lane that becomes an update if there is one. `old('x')` in `update` is the column as it
   * is.
   */
  abstract upsertLane(
    insert: Readonly<Record<string, string>>,
    update: (old: (column: string) => string) => Record<string, string>,
  ): string;

  /** See `LaneStore.enter`. null: the lane is not to be had. */
  abstract enter(connection: Connection, asked: AskedLane): Promise<TakenLane | null>;

  /** See `PendingChangeStore.settleRow`: gives a row if all of it was done. Not every database has it. */
  rowSettlement?(connection: Connection, parts: RowSettlement): Statement;

  /**
   * The DIDs, at most `$1` of them, whose lane (`a`; all NULL: it has none) and one of whose pending entries
   * (`l`) are as the conditions say.
   */
  abstract pendingDids(lane: string, entry: string): string;

  /** Whether an {@link update} is one statement, which needs no transaction. */
  readonly updatesAtOnce: boolean = true;

  /** Ends a SELECT whose rows nobody else may change before the transaction ends. */
  readonly forUpdate: string = ' FOR UPDATE';

  protected readonly sameKey = 'l.rkey = d.rkey AND l.did = d.did AND l.collection = d.collection';
}

/** What a new lane has, unless the statement says otherwise. */
export const NEW_LANE = { token: '0', leased: 'FALSE', wakes: '0', failures: '0' };

/** Whether a row of an outer join has a row of the ledger. */
export const hasKey = ({ did }: Record<string, unknown>): boolean => did !== null;

export const keysOf = (rows: QueryResult['rows']): Updated['keys'] =>
  rows.filter(hasKey) as unknown as Updated['keys'];
