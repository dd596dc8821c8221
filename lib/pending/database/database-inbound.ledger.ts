import type { DataSource, QueryRunner } from 'typeorm';
import type { Query } from '../../database/connection.js';
import { isTakenKey } from '../../database/database-failure.js';
import { runScript } from '../../database/sql-script.js';
import { RetryLaterError } from '../../errors/retry-later.error.js';
import type { Address } from '../../model/address.js';
import type { RepositoryState } from '../../pds/repository-state.store.js';
import type { AdmittedAddress, InboundIssue, InboundLedger, KnownAddress } from '../inbound.ledger.js';
import type { Repository } from '../repository.store.js';
import type { UpdateRow } from './dialect.js';
import { ADMIT } from './inbound.statements.js';
import {
  toAdmittedRow,
  toIssue,
  toIssueRow,
  toKnown,
  uriOfRow,
  type IssueRow,
  type KnownRow,
} from './inbound-row.js';
import type { StateRow } from './lane-row.js';
import { LedgerAccess } from './ledger.access.js';
import { micros } from './ledger-row.js';

interface AccountRow {
  readonly did: string;
  readonly status: Repository['status'];
  readonly rev: string | null;
  readonly collections: string | null;
}

export interface DatabaseInboundLedgerOptions {
  readonly dataSource: DataSource;
  /** See `PendingSyncOptions`. */
  readonly preparedStatements?: boolean;
}

/** Keeps what is learned of records in the tables of `parityEntities`. */
export class DatabaseInboundLedger implements InboundLedger {
  private readonly access: LedgerAccess;

  constructor({ dataSource, preparedStatements }: DatabaseInboundLedgerOptions) {
    this.access = new LedgerAccess(dataSource, undefined, preparedStatements);
  }

  async lock(dids: readonly string[], runner: QueryRunner): Promise<void> {
    if (dids.length === 0) return;
    const sorted = [...new Set(dids)].toSorted();
    await this.within(runner)(this.access.sql.inbound.lock, [JSON.stringify(sorted.map((did) => ({ did })))]);
  }

  async accounts(
    dids: readonly string[],
    runner: QueryRunner,
  ): Promise<ReadonlyMap<string, Pick<Repository, 'status' | 'rev' | 'collections'>>> {
    if (dids.length === 0) return new Map();
    const keys = JSON.stringify(dids.map((did) => ({ did })));
    const { rows } = await this.within(runner)(this.access.sql.inbound.accounts, [keys]);
    return new Map(
      (rows as unknown as AccountRow[]).map(({ did, status, rev, collections }) => [
        did,
        { status, rev, collections: collections === null ? [] : (JSON.parse(collections) as string[]) },
      ]),
    );
  }

  async at(
    addresses: readonly Address[],
    runner: QueryRunner,
  ): Promise<{ known: ReadonlyMap<string, KnownAddress>; held: ReadonlySet<string> }> {
    if (addresses.length === 0) return { known: new Map(), held: new Set() };
    const { look, at } = this.access.sql.inbound;
    const query = this.within(runner);
    // A look that locks nothing comes first: on MariaDB, a locking read of an absent key would hold up every
    // capture in its gap.
    const existing = this.access.dialect.skipLocked ? await keysOf(query, look, addresses) : addresses;
    if (existing.length === 0) return { known: new Map(), held: new Set() };
    const { rows } = await query(at, [JSON.stringify(existing)]);
    const known = new Map((rows as unknown as KnownRow[]).map((row) => [uriOfRow(row), toKnown(row)]));
    if (!this.access.dialect.skipLocked) return { known, held: new Set() };
    return { known, held: new Set(existing.map(uriOfRow).filter((uri) => !known.has(uri))) };
  }

  async inFlight(
    dids: readonly string[],
    runner: QueryRunner,
  ): Promise<ReadonlyMap<string, ReadonlySet<string | null>>> {
    const cids = new Map<string, Set<string | null>>();
    if (dids.length === 0) return cids;
    const add = (uri: string, cid: string | null): void => {
      const known = cids.get(uri);
      if (known) known.add(cid);
      else cids.set(uri, new Set([cid]));
    };
    const asked = JSON.stringify(dids.map((did) => ({ did })));
    const { rows } = await this.within(runner)(this.access.sql.inbound.inFlight, [asked]);
    for (const row of rows as unknown as Pick<StateRow, 'in_flight' | 'unsettled'>[]) {
      const inFlight = JSON.parse(row.in_flight ?? 'null') as RepositoryState['inFlight'];
      const unsettled = JSON.parse(row.unsettled ?? '{}') as RepositoryState['unsettled'];
      for (const [uri, cid] of Object.entries(inFlight?.cids ?? {})) add(uri, cid);
      for (const [uri, all] of Object.entries(unsettled)) for (const cid of all) add(uri, cid);
    }
    return cids;
  }

  async admit(addresses: readonly AdmittedAddress[], runner: QueryRunner): Promise<void> {
    const fresh = addresses.filter(({ isNew }) => isNew);
    for (const rows of packets(fresh.map(toAdmittedRow))) await this.insert(rows, runner);
    const known = addresses.filter(({ isNew }) => !isNew);
    for (const rows of packets(known.map(toAdmittedRow))) await this.update(rows, runner);
  }

  private async insert(rows: readonly UpdateRow[], runner: QueryRunner): Promise<void> {
    try {
      await this.within(runner)(this.access.sql.inbound.insert, [JSON.stringify(rows)]);
    } catch (error) {
      throw isTakenKey(error) ? hasChanged(error) : error;
    }
  }

  private async update(rows: readonly UpdateRow[], runner: QueryRunner): Promise<void> {
    const { dialect, connection } = this.access;
    const { keys } = await runScript(dialect.update(connection, ADMIT, rows), runner);
    if (keys.length < rows.length) throw hasChanged();
  }

  async keepIssues(issues: readonly Omit<InboundIssue, 'createdAt'>[], runner: QueryRunner): Promise<void> {
    for (const rows of packets(issues.map(toIssueRow)))
      await this.within(runner)(this.access.sql.inbound.keepIssues, [JSON.stringify(rows)]);
  }

  async removeIssues(addresses: readonly Address[], runner: QueryRunner): Promise<void> {
    if (addresses.length === 0) return;
    const { issuesAt, removeIssue } = this.access.sql.inbound;
    const query = this.within(runner);
    // Only admissions of the same account write these rows, and they are locked out.
    for (const { rkey, did, collection } of await keysOf(query, issuesAt, addresses))
      await query(removeIssue, [rkey, did, collection]);
  }

  async addresses(
    did: string,
    collection: string,
    { after, limit }: { readonly after: string; readonly limit: number },
  ): Promise<KnownAddress[]> {
    const { addresses } = this.access.sql.inbound;
    return (await this.access.rows<KnownRow>(addresses, [did, collection, after, limit])).map(toKnown);
  }

  async issues({
    kind,
    did,
    after,
    limit,
  }: {
    readonly kind: InboundIssue['kind'];
    readonly did?: string | undefined;
    readonly after?: InboundIssue | undefined;
    readonly limit: number;
  }): Promise<InboundIssue[]> {
    const from = after?.address ?? { did: '', collection: '', rkey: '' };
    const since = after ? micros(after.createdAt.getTime()) : 0;
    const place = [since, from.did, from.collection, from.rkey];
    const rows = await this.access.rows<IssueRow>(this.access.sql.inbound.issues(did !== undefined), [
      kind,
      limit,
      ...place,
      ...(did === undefined ? [] : [did]),
    ]);
    return rows.map(toIssue);
  }

  async issue({ rkey, did, collection }: Address): Promise<InboundIssue | null> {
    const [row] = await this.access.rows<IssueRow>(this.access.sql.inbound.issue, [rkey, did, collection]);
    return row ? toIssue(row) : null;
  }

  private within(runner: QueryRunner): Query {
    return this.access.connection.within(runner);
  }
}

/** The addresses at which there is a row. */
async function keysOf(query: Query, sql: string, addresses: readonly Address[]): Promise<Address[]> {
  const keys = addresses.map(({ did, collection, rkey }) => ({ did, collection, rkey }));
  return (await query(sql, [JSON.stringify(keys)])).rows as unknown as Address[];
}

/** MariaDB takes 16 MB in one statement by default. */
const PACKET = 4_000_000;

/** Cuts rows so that the JSON of each part is not much longer than {@link PACKET}, in characters. */
function* packets(rows: readonly UpdateRow[]): Generator<readonly UpdateRow[]> {
  let packet: UpdateRow[] = [];
  let size = 0;
  for (const row of rows) {
    packet.push(row);
    for (const value of Object.values(row)) size += String(value ?? '').length;
    if (size < PACKET) continue;
    yield packet;
    packet = [];
    size = 0;
  }
  if (packet.length > 0) yield packet;
}

const hasChanged = (cause?: unknown): RetryLaterError =>
  new RetryLaterError('What is kept of a record has changed while it was looked at.', {
    retryAt: new Date(),
    ...(cause !== undefined && { cause }),
  });
