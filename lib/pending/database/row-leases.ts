import type { LedgerAccess } from './ledger.access.js';
import { micros } from './ledger-row.js';

interface LeasedRow {
  readonly token: number | string;
  readonly is_leased: number | string;
}

/** Leases of the rows of one table, each with its `token` and `leased_until`. */
export class RowLeases {
  constructor(
    private readonly access: LedgerAccess,
    /** What differs between tables; a function, because the names are known once the DataSource is. */
    private readonly of: () => {
      readonly table: string;
      readonly key: string;
      /** Creates the row of the key `$1` if there is none. */
      readonly create: string;
      /** Further columns and their values, set with a new lease. */
      readonly set?: string;
    },
  ) {}

  /** Null while another process has the row. Creates the row. */
  async take(key: string, milliseconds: number): Promise<number | null> {
    const { table, key: column, create, set = '' } = this.of();
    const look =
      `SELECT token, CASE WHEN leased_until > $now THEN 1 ELSE 0 END AS is_leased FROM ${table} ` +
      `WHERE ${column} = $1`;
    let [row] = await this.access.rows<LeasedRow>(look, [key]);
    if (!row) {
      await this.access.query(create, [key]);
      [row] = await this.access.rows<LeasedRow>(look, [key]);
    }
    if (!row || Number(row.is_leased) === 1) return null;
    const token = Number(row.token) + 1;
    // Of two processes that have seen the same token, one gets the next. The holder may have extended its
    // lease since.
    const { affected } = await this.access.query(
      `UPDATE ${table} SET token = $3, leased_until = $now + $4${set} WHERE ${column} = $1 AND token = $2 AND (leased_until IS NULL OR leased_until <= $now)`,
      [key, token - 1, token, micros(milliseconds)],
    );
    return affected > 0 ? token : null;
  }

  /** A lease that has ended can be extended until another process has it. */
  async extend(key: string, token: number, milliseconds: number): Promise<boolean> {
    const { table, key: column } = this.of();
    const { affected } = await this.access.query(
      `UPDATE ${table} SET leased_until = $now + $3 WHERE ${column} = $1 AND token = $2 AND leased_until IS NOT NULL`,
      [key, token, micros(milliseconds)],
    );
    return affected > 0;
  }

  async release(key: string, token: number): Promise<void> {
    const { table, key: column } = this.of();
    await this.access.query(`UPDATE ${table} SET leased_until = NULL WHERE ${column} = $1 AND token = $2`, [
      key,
      token,
    ]);
  }
}
