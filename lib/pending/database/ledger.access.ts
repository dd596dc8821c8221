import type { DataSource, QueryRunner } from 'typeorm';
import type { QueryResult } from '../../database/sql-script.js';
import type { Address } from '../../model/address.js';
import type { PendingSync } from '../../model/pending-sync.js';
import type { PendingEntry } from '../pending-entry.js';
import type { Connection } from '../../database/connection.js';
import type { Fence, RowUpdate, SqlDialect, Updated, UpdateRow } from './dialect.js';
import { sqlDialect } from './dialects.js';
import { toEntry, toSync, type LedgerRow } from './ledger-row.js';
import { inboundStatements } from './inbound.statements.js';
import { laneStatements } from './lane.statements.js';
import { ledgerStatements } from './ledger.statements.js';
import { repositoryStatements } from './repository.statements.js';

interface Texts {
  readonly ledger: ReturnType<typeof ledgerStatements>;
  readonly lanes: ReturnType<typeof laneStatements>;
  readonly inbound: ReturnType<typeof inboundStatements>;
  readonly repositories: ReturnType<typeof repositoryStatements>;
}

const texts = new WeakMap<SqlDialect, Texts>();

/** Access to the tables of one DataSource, shared by the classes here. */
export class LedgerAccess {
  /**
   * @param own the caller's connection after its commit, for as long as the caller waits; undefined for one
   *   of the pool
   */
  constructor(
    readonly dataSource: DataSource,
    private readonly own: () => QueryRunner | undefined = () => undefined,
    private readonly prepares = true,
    private readonly nameOf = (storedName: string): string => storedName,
  ) {}

  /** The DataSource has to be initialized. */
  get dialect(): SqlDialect {
    return sqlDialect(this.dataSource, this.prepares);
  }

  get sql(): Texts {
    const { dialect } = this;
    let known = texts.get(dialect);
    if (!known) {
      known = {
        ledger: ledgerStatements(dialect),
        lanes: laneStatements(dialect),
        inbound: inboundStatements(dialect),
        repositories: repositoryStatements(dialect),
      };
      texts.set(dialect, known);
    }
    return known;
  }

  get connection(): Connection {
    return this.dialect.connect(this.own);
  }

  query(sql: string, parameters: readonly unknown[]): Promise<QueryResult> {
    return this.connection.use((query) => query(sql, parameters));
  }

  async rows<Row>(sql: string, parameters: readonly unknown[]): Promise<Row[]> {
    return (await this.query(sql, parameters)).rows as unknown as Row[];
  }

  async entries(sql: string, parameters: readonly unknown[]): Promise<PendingEntry[]> {
    const rows = await this.rows<LedgerRow>(sql, parameters);
    return rows.map((row) => this.toEntry(row));
  }

  /** The pending entries at these addresses. */
  async at(keys: readonly Address[]): Promise<PendingEntry[]> {
    return keys.length === 0 ? [] : this.entries(this.sql.ledger.at, [JSON.stringify(keys)]);
  }

  toEntry(row: LedgerRow): PendingEntry {
    return toEntry(row, this.nameOf);
  }

  toSync(row: LedgerRow): PendingSync {
    return toSync(row, this.nameOf);
  }

  update(update: RowUpdate, rows: readonly UpdateRow[], fence?: Fence): Promise<Updated> {
    const { dialect, connection } = this;
    const script = dialect.update(connection, update, rows, fence);
    return dialect.updatesAtOnce ? connection.inTurn(script) : connection.transaction(script);
  }
}
