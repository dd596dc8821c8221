import type { DataSource, QueryRunner } from 'typeorm';
import type { Address } from '../../model/address.js';
import type { TakenRow } from './lane-row.js';
import { LEDGER_COLUMNS, type CaptureRow, type LedgerRow } from './ledger-row.js';
import type { QueryResult, SqlScript, Statement } from '../../database/sql-script.js';
import type { Connection } from '../../database/connection.js';
import { withConnection } from '../../database/connection-share.js';
import { CompiledStatements } from '../../database/compiled-statements.js';
import { ServerConnection } from '../../database/server.connection.js';
import { escapedTable } from '../../database/tables.js';
import { INBOUND, LANE, ledgerDialectOf, LEDGER, REPOSITORY, SOURCE } from './ledger-tables.js';

/** Type of a field in rows that are passed as JSON. */
export type FieldType = 'key' | 'text' | 'json' | 'int';

export const KEY_FIELDS = { did: 'key', collection: 'key', rkey: 'key' } as const;
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

/** The values of one row, in the order of {@link CAPTURE_FIELDS}. */
export const captureValues = (row: CaptureRow): unknown[] => CAPTURE_NAMES.map((name) => row[name] ?? null);

/** Changes ledger rows that still have the version that was read. Other rows stay as they are. */
export interface RowUpdate {
  /** Fields of the passed rows, besides key and version. */
  readonly fields: Readonly<Record<string, FieldType>>;
  /** Columns and their values, in terms of the existing row (`l`) and of the passed one (`d`). */
  readonly set: Readonly<Record<string, string>>;
  readonly where: string;
  /** Also changes rows whose version has moved; `set` distinguishes them. */
  readonly anyVersion?: true;
  /** The caller does not need the keys of the changed rows. */
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
  /** Whether the lease was still held; true without a lease. */
  readonly held: boolean;
  /** Keys of the changed rows. */
  readonly keys: readonly { readonly did: string; readonly collection: string; readonly rkey: string }[];
}

/** The request of a worker for a lane. */
export interface AskedLane {
  readonly did: string;
  /** The addresses whose pending entries it needs. */
  readonly keys: readonly Address[];
  /** How long it wants the lane. */
  readonly microseconds: number;
  /** Also take a lane that is parked, or backs off. */
  readonly anyway: boolean;
}

export interface TakenLane {
  readonly lane: TakenRow;
  /** Null if the entries may be out of date and have to be read. */
  readonly entries: readonly LedgerRow[] | null;
}

export interface RowSettlement {
  /** An update that ends with its condition, in the database's own SQL. */
  readonly row: Statement;
  /** An update of the lane that ends with its condition, for {@link Connection.statement}. */
  readonly lane: Pick<Statement, 'text' | 'parameters'>;
  readonly lease: Fence;
  readonly entries: readonly UpdateRow[];
}

/**
 * What the databases do differently. Statements use `$1` and `$now` (see Query), the alias `l` for the
 * ledger, and `a` for the lane.
 */
export abstract class SqlDialect {
  readonly ledger: string;
  readonly lane: string;
  readonly repository: string;
  readonly source: string;
  readonly inbound: string;

  protected readonly statements: CompiledStatements;

  constructor(protected readonly dataSource: DataSource) {
    this.statements = new CompiledStatements(ledgerDialectOf(dataSource));
    this.ledger = escapedTable(dataSource, LEDGER);
    this.lane = escapedTable(dataSource, LANE);
    this.repository = escapedTable(dataSource, REPOSITORY);
    this.source = escapedTable(dataSource, SOURCE);
    this.inbound = escapedTable(dataSource, INBOUND);
  }

  /**
   * @param own the caller's connection after its commit, while the caller waits; a pool of one has no second
   */
  connect(own: () => QueryRunner | undefined): Connection {
    return new ServerConnection(this.statements, (work) => {
      const runner = own();
      return withConnection(this.dataSource, runner?.isTransactionActive ? undefined : runner, work);
    });
  }

  /**
   * Captures in one statement, whatever the number of rows.
   *
   * @param runner a connection with or without a transaction; undefined for a connection of the module
   * @returns the rows that were left alone, because what they ask for is settled
   */
  abstract capture(
    connection: Connection,
    rows: readonly CaptureRow[],
    runner: QueryRunner | undefined,
  ): Promise<readonly CaptureRow[]>;

  /** The JSON objects in the parameter `$number`, as a table. */
  abstract table(number: number, alias: string, fields: Readonly<Record<string, FieldType>>): string;

  /**
   * The pending entries at the keys in the parameter `$number`. It has no condition on the DID: with one,
   * SQLite would scan all pending rows of the lane for each key.
   */
  pendingAt(number: number): string {
    return (
      `SELECT ${LEDGER_COLUMNS} FROM ${this.table(number, 'd', KEY_FIELDS)} JOIN ${this.ledger} l ` +
      `ON ${this.sameKey} WHERE l.pending_since IS NOT NULL`
    );
  }

  /**
   * Changes rows by key and version, under a lease if one is given. Skips rows that another open transaction
   * holds.
   */
  abstract update(
    connection: Connection,
    update: RowUpdate,
    rows: readonly UpdateRow[],
    fence?: Fence,
  ): SqlScript<Updated>;

  /** Inserts a lane, or updates an existing one. In `update`, `old('x')` is the column as it is. */
  upsertLane(
    insert: Readonly<Record<string, string>>,
    update: (old: (column: string) => string) => Record<string, string>,
  ): string {
    return this.upsertRow(this.lane, 'did', { ...NEW_LANE, ...insert }, update);
  }

  /**
   * Inserts a row, or updates an existing one.
   *
   * @param update gets a column as it is, and as a new row would have it
   * @param from inserts a row for each of these rows instead
   */
  abstract upsertRow(
    table: string,
    key: string,
    row: Readonly<Record<string, string>>,
    update: (
      old: (column: string) => string,
      fresh: (column: string) => string,
    ) => Readonly<Record<string, string>>,
    from?: string,
  ): string;

  /**
   * Inserts rows, and locks those that exist, in the order of `from`. Nothing of these changes.
   */
  abstract insertOrLock(
    table: string,
    key: string,
    row: Readonly<Record<string, string>>,
    from: string,
  ): string;

  /**
   * Inserts rows, and fails rather than wait for a transaction that is inserting one of them: that one may be
   * waiting for this one.
   */
  insertAtOnce(table: string, row: Readonly<Record<string, string>>, from: string): string {
    return `INSERT INTO ${table} ${inserted(row, from)}`;
  }

  /** The rows of a table with the keys in the parameter `$number`, looked up key by key. */
  atKeys(number: number, table = this.ledger): string {
    return `${this.table(number, 'd', KEY_FIELDS)} JOIN ${table} l ON ${this.sameKey}`;
  }

  /** The lanes of the DIDs in the parameter `$number`. */
  lanesOf(number: number): string {
    return `${this.table(number, 'd', { did: 'key' })} JOIN ${this.lane} a ON a.did = d.did`;
  }

  /**
   * See `LaneStore.enter`.
   *
   * @returns null if the lane cannot be taken
   */
  abstract enter(connection: Connection, asked: AskedLane): Promise<TakenLane | null>;

  /** See `PendingChangeStore.settleRow`. The statement returns a row if all of it was done. */
  rowSettlement?(connection: Connection, parts: RowSettlement): Statement;

  /**
   * At most `$1` DIDs whose lane (`a`; all NULL if there is none) and one of whose pending entries (`l`) meet
   * the conditions.
   */
  abstract pendingDids(lane: string, entry: string): string;

  /** Whether an {@link update} is a single statement, which needs no transaction. */
  readonly updatesAtOnce: boolean = true;

  /** Ends a SELECT whose rows no other transaction may change before this one ends. */
  readonly forUpdate: string = ' FOR UPDATE';

  /** Ends a SELECT of ledger rows (`l`): locks what no other transaction holds, and leaves out the rest. */
  readonly skipLocked: string = ' FOR UPDATE SKIP LOCKED';

  protected readonly sameKey = 'l.rkey = d.rkey AND l.did = d.did AND l.collection = d.collection';
}

/** The columns of a new lane, unless the statement sets them. */
export const NEW_LANE = { token: '0', leased: 'FALSE', wakes: '0', failures: '0' };

/** What follows the name of the table in an INSERT. */
export const inserted = (row: Readonly<Record<string, string>>, from?: string): string => {
  const values = Object.values(row).join(', ');
  // SQLite would read the ON of a conflict as that of a join.
  const source = from === undefined ? `VALUES (${values})` : `SELECT ${values} FROM ${from} WHERE TRUE`;
  return `(${Object.keys(row).join(', ')}) ${source}`;
};

/** Whether a row of an outer join has a row of the ledger. */
export const hasKey = ({ did }: Record<string, unknown>): boolean => did !== null;

export const keysOf = (rows: QueryResult['rows']): Updated['keys'] =>
  rows.filter(hasKey) as unknown as Updated['keys'];
