import type { DataSource, QueryRunner } from 'typeorm';
import { UNRESOLVED_DID } from '../../sync/unresolved.js';
import { readable } from '../readable.js';
import type { ImportCounts, ImportLease, Repository, RepositoryStore } from '../repository.store.js';
import { LedgerAccess } from './ledger.access.js';
import { micros, toDate } from './ledger-row.js';
import { RowLeases } from './row-leases.js';

interface RepositoryRow {
  readonly did: string;
  readonly ours: boolean | number;
  readonly status: Repository['status'];
  readonly handle: string | null;
  readonly pds: string | null;
  readonly rev: string | null;
  readonly collections: string | null;
  readonly imported_at: number | string | null;
  readonly import_at: number | string | null;
  readonly counts: string | null;
  readonly last_error: string | null;
  readonly failures: number | string;
}

const toDateOrNull = (time: number | string | null): Date | null => (time === null ? null : toDate(time));

/** Keeps what is known of accounts in the tables of `parityEntities`. */
export class DatabaseRepositoryStore implements RepositoryStore {
  private readonly access: LedgerAccess;
  private readonly leases: RowLeases;

  constructor(dataSource: DataSource) {
    this.access = new LedgerAccess(dataSource);
    this.leases = new RowLeases(this.access, () => ({
      table: this.access.dialect.repository,
      key: 'did',
      create: this.sql.newRepository,
      set: ', asked = 0',
    }));
  }

  async find(did: string): Promise<Repository | null> {
    const [row] = await this.access.rows<RepositoryRow>(this.sql.find, [did]);
    return row ? toRepository(row) : null;
  }

  async ours(): Promise<string[]> {
    return (await this.access.rows<{ did: string }>(this.sql.ours, [UNRESOLVED_DID])).map(({ did }) => did);
  }

  async signedIn(did: string, { importDue }: { readonly importDue: boolean }): Promise<void> {
    await this.access.query(importDue ? this.sql.signedInAndDue : this.sql.signedIn, [did]);
  }

  async importDue(dids: readonly string[] | 'all', runner?: QueryRunner): Promise<void> {
    if (dids === 'all') return this.run(this.sql.allDue, [], runner);
    if (dids.length === 0) return;
    const sorted = [...new Set(dids)].toSorted().map((did) => ({ did }));
    await this.run(this.sql.due, [JSON.stringify(sorted)], runner);
  }

  async dueImports(limit: number): Promise<string[]> {
    return (await this.access.rows<{ did: string }>(this.sql.dueImports, [limit])).map(({ did }) => did);
  }

  async leaseImport(did: string, milliseconds: number): Promise<ImportLease | null> {
    const token = await this.leases.take(did, milliseconds);
    return token === null ? null : { did, token };
  }

  extendImport({ did, token }: ImportLease, milliseconds: number): Promise<boolean> {
    return this.leases.extend(did, token, milliseconds);
  }

  async endImport(
    { did, token }: ImportLease,
    outcome:
      | {
          readonly rev: string | null;
          readonly collections: readonly string[];
          readonly counts: ImportCounts;
        }
      | { readonly error: string; readonly retryAt: Date | null },
  ): Promise<boolean> {
    const { affected } =
      'rev' in outcome
        ? await this.access.query(this.sql.imported, [
            did,
            token,
            outcome.rev,
            JSON.stringify(outcome.counts),
            JSON.stringify(outcome.collections),
          ])
        : await this.access.query(this.sql.failed, [
            did,
            token,
            readable(outcome.error),
            // A duration, because the database's clock may differ from the process's.
            outcome.retryAt && micros(outcome.retryAt.getTime() - Date.now()),
          ]);
    return affected > 0;
  }

  async resetImport(did: string): Promise<void> {
    await this.access.query(this.sql.reset, [did]);
  }

  async update(
    did: string,
    change: Partial<Pick<Repository, 'status' | 'handle' | 'pds'>>,
    runner?: QueryRunner,
  ): Promise<void> {
    const known = (['status', 'handle', 'pds'] as const).filter((column) => change[column] !== undefined);
    if (known.length === 0) return this.run(this.sql.newRepository, [did], runner);
    await this.run(this.sql.update(known), [did, ...known.map((column) => change[column])], runner);
  }

  private get sql() {
    return this.access.sql.repositories;
  }

  private async run(
    sql: string,
    parameters: readonly unknown[],
    runner: QueryRunner | undefined,
  ): Promise<void> {
    if (runner) await this.access.connection.within(runner)(sql, parameters);
    else await this.access.query(sql, parameters);
  }
}

const toRepository = (row: RepositoryRow): Repository => ({
  did: row.did,
  isOurs: Boolean(row.ours),
  status: row.status,
  handle: row.handle,
  pds: row.pds,
  rev: row.rev,
  collections: row.collections === null ? [] : (JSON.parse(row.collections) as string[]),
  importedAt: toDateOrNull(row.imported_at),
  importAt: toDateOrNull(row.import_at),
  counts: row.counts === null ? null : (JSON.parse(row.counts) as ImportCounts),
  lastError: row.last_error,
  failures: Number(row.failures),
});
