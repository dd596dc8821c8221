import type { DataSource, QueryRunner } from 'typeorm';
import { LeaseLostError } from '../../errors/lease-lost.error.js';
import type { SourceCursorStore, SourceLease } from '../repository.store.js';
import { LedgerAccess } from './ledger.access.js';
import { toDate } from './ledger-row.js';
import { RowLeases } from './row-leases.js';

interface CursorRow {
  readonly position: string | null;
  readonly position_at: number | string | null;
}

/** Keeps the positions of sources in the tables of `parityEntities`. */
export class DatabaseSourceCursorStore implements SourceCursorStore {
  private readonly access: LedgerAccess;
  private readonly leases: RowLeases;

  constructor(dataSource: DataSource) {
    this.access = new LedgerAccess(dataSource);
    this.leases = new RowLeases(this.access, () => ({
      table: this.access.dialect.source,
      key: 'name',
      create: this.access.sql.repositories.newSource,
    }));
  }

  async lease(name: string, milliseconds: number): Promise<SourceLease | null> {
    const token = await this.leases.take(name, milliseconds);
    return token === null ? null : { name, token };
  }

  extend({ name, token }: SourceLease, milliseconds: number): Promise<boolean> {
    return this.leases.extend(name, token, milliseconds);
  }

  release({ name, token }: SourceLease): Promise<void> {
    return this.leases.release(name, token);
  }

  async cursor(name: string): Promise<{ readonly cursor: string | null; readonly at: Date | null }> {
    const [row] = await this.access.rows<CursorRow>(this.access.sql.repositories.cursor, [name]);
    const at = row?.position_at ?? null;
    return { cursor: row?.position ?? null, at: at === null ? null : toDate(at) };
  }

  async keep({ name, token }: SourceLease, cursor: string, runner: QueryRunner): Promise<void> {
    const query = this.access.connection.within(runner);
    const { affected } = await query(this.access.sql.repositories.keepCursor, [name, token, cursor]);
    if (affected === 0) throw new LeaseLostError(`the source ${name}`, {});
  }
}
