import { atUri, parseAtUri, type Address } from '../../model/address.js';
import type { RecordJson } from '../../model/evidence.js';
import type { PendingSync, SyncOperation } from '../../model/pending-sync.js';
import { keptTrigger } from '../../sync/asked-by-hand.js';
import type { Trigger } from '../../sync/change.js';
import type { OfferedChange, PendingEntry } from '../pending-entry.js';

/**
 * A change as the capture statement takes it. Its names are short, because one parameter may have thousands
 * of changes.
 */
export interface CaptureRow {
  readonly d: string;
  readonly c: string;
  readonly r: string;
  readonly n: string;
  readonly i: string;
  readonly o: SyncOperation;
  readonly t: Trigger;
  /** Left out if there is none. MariaDB reads a JSON null as the string 'null'. */
  readonly h?: string;
  readonly k: 0 | 1;
  readonly g: 0 | 1;
  readonly x: 0 | 1;
  readonly b: 0 | 1;
  readonly m: 0 | 1;
  /**
   * The version of a new row, from which the statement knows whether the change may be left alone: 1 if it
   * may not, 2 if it may, 0 if it may and has no record.
   */
  readonly v: 0 | 1 | 2;
}

export const uriOf = ({ d, c, r }: CaptureRow): string => atUri({ did: d, collection: c, rkey: r });

/**
 * One row per address, in the same order in every process, so that two transactions with the same addresses
 * cannot deadlock. An entity that claims an address wins over one that gave it up; otherwise the last change
 * wins.
 */
export function captureRows(changes: readonly OfferedChange[]): CaptureRow[] {
  if (changes.length < 2) return changes.map(captureRow);
  const merged = new Map<string, CaptureRow>();
  for (const change of changes) {
    const uri = atUri(change.address);
    const before = merged.get(uri);
    const row = captureRow(change);
    merged.set(uri, before ? merge(before, row) : row);
  }
  return [...merged.values()].toSorted((a, b) => order(a.r, b.r) || order(a.d, b.d) || order(a.c, b.c));
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function captureRow({
  address,
  entityName,
  entityId,
  operation,
  trigger,
  cid,
  keepRecord,
  givenUp,
  orphaned,
  backfill,
  mayDelete,
  unlessSettled = false,
}: OfferedChange): CaptureRow {
  return {
    d: address.did,
    c: address.collection,
    r: address.rkey,
    n: entityName,
    i: entityId,
    o: operation,
    t: trigger,
    ...(cid !== null && { h: cid }),
    k: keepRecord ? 1 : 0,
    g: givenUp ? 1 : 0,
    x: orphaned ? 1 : 0,
    b: backfill ? 1 : 0,
    m: mayDelete ? 1 : 0,
    v: !unlessSettled ? 1 : cid === null ? 0 : 2,
  };
}

function merge(before: CaptureRow, after: CaptureRow): CaptureRow {
  const sameClaimant = before.n === after.n && before.i === after.i;
  const [winner, other] = after.g && !before.g && !sameClaimant ? [before, after] : [after, before];
  const cid = winner.h ?? other.h;
  const kept =
    sameClaimant && !before.b
      ? keptTrigger({ trigger: before.t, operation: before.o }, { trigger: after.t, operation: after.o })
      : null;
  const b = before.b === 1 && after.b === 1 ? 1 : 0;
  const asked = kept && { t: kept, o: before.o, k: before.k, g: before.g };
  return { ...winner, ...asked, b, ...(cid !== undefined && { h: cid }), v: 1 };
}

/** A row as the drivers return it: numbers may be strings, and booleans 0 and 1. */
export interface LedgerRow {
  readonly did: string;
  readonly collection: string;
  readonly rkey: string;
  readonly entity_name: string;
  readonly entity_id: string;
  readonly operation: SyncOperation;
  readonly triggered_by: Trigger;
  readonly cid: string | null;
  readonly keep_record: boolean | number;
  readonly given_up: boolean | number;
  readonly orphaned: boolean | number;
  readonly backfill: boolean | number;
  readonly may_delete: boolean | number;
  readonly version: number | string;
  readonly created_at: number | string;
  readonly attempts: number | string;
  readonly last_error: string | null;
  readonly foreign_fields: string | null;
  readonly mapped: string | null;
  readonly conflict_at: number | string | null;
}

export const LEDGER_COLUMNS =
  'l.did, l.collection, l.rkey, l.entity_name, l.entity_id, l.operation, l.triggered_by, l.cid, l.keep_record, ' +
  'l.given_up, l.orphaned, l.backfill, l.may_delete, l.version, l.created_at, l.attempts, l.last_error, l.foreign_fields, l.mapped, l.conflict_at';

/** @param nameOf the name under which operators know the class that is stored under a name */
export function toSync(row: LedgerRow, nameOf: (storedName: string) => string): PendingSync {
  const { did, collection, rkey } = row;
  const uri = atUri(row);
  return Object.freeze({
    id: uri,
    did,
    collection,
    rkey,
    uri,
    entityName: nameOf(row.entity_name),
    entityId: row.entity_id,
    operation: row.operation,
    attempts: Number(row.attempts),
    createdAt: toDate(row.created_at).toISOString(),
    lastError: row.last_error,
  });
}

export function toEntry(row: LedgerRow, nameOf: (storedName: string) => string): PendingEntry {
  const { did, collection, rkey } = row;
  const sync = toSync(row, nameOf);
  return {
    sync,
    address: { did, collection, rkey },
    entityName: row.entity_name,
    entityId: sync.entityId,
    operation: sync.operation,
    trigger: row.triggered_by,
    cid: row.cid,
    keepRecord: Boolean(row.keep_record),
    givenUp: Boolean(row.given_up),
    orphaned: Boolean(row.orphaned),
    backfill: Boolean(row.backfill),
    mayDelete: Boolean(row.may_delete),
    version: Number(row.version),
    foreign: toJson(row.foreign_fields),
    mapped: row.mapped,
    inConflict: row.conflict_at !== null,
  };
}

export const toJson = (text: string | null): RecordJson | null =>
  text === null ? null : (JSON.parse(text) as RecordJson);

/** The addresses of this account among the at-uris, without duplicates. */
export const addressesOf = (did: string, uris: readonly string[]): Address[] =>
  [...new Set(uris)].flatMap((uri) => {
    const address = parseAtUri(uri);
    return address?.did === did ? [address] : [];
  });

/** From microseconds since 1970. */
export const toDate = (microseconds: number | string): Date => new Date(Number(microseconds) / 1_000);

export const micros = (milliseconds: number): number => Math.round(milliseconds * 1_000);
