import { atUri } from '../../model/address.js';
import type { AdmittedAddress, InboundIssue, KnownAddress } from '../inbound.ledger.js';
import { readable } from '../readable.js';
import type { UpdateRow } from './dialect.js';
import { toDate, toJson } from './ledger-row.js';

/** Rows as the drivers return them; see `LedgerRow`. */
export interface KnownRow {
  readonly did: string;
  readonly collection: string;
  readonly rkey: string;
  readonly entity_name: string;
  readonly entity_id: string;
  readonly cid: string | null;
  readonly rev: string | null;
  readonly mapped: string | null;
  readonly foreign_fields: string | null;
  readonly base: string | null;
  readonly operation: string;
  readonly keep_record: boolean | number;
  readonly pending_since: number | string | null;
  readonly dead_at: number | string | null;
  readonly conflict_at: number | string | null;
  readonly changed_at: number | string;
}

export interface IssueRow {
  readonly did: string;
  readonly collection: string;
  readonly rkey: string;
  readonly kind: InboundIssue['kind'];
  readonly entity_name: string;
  readonly entity_id: string;
  readonly rev: string;
  readonly cid: string | null;
  readonly record: string | null;
  readonly local_record: string | null;
  readonly reason: string;
  readonly created_at: number | string;
}

export function toKnown(row: KnownRow): KnownAddress {
  const { did, collection, rkey } = row;
  const isDirty = row.pending_since !== null || row.dead_at !== null;
  return {
    address: { did, collection, rkey },
    entityName: row.entity_name,
    entityId: row.entity_id,
    cid: row.cid,
    rev: row.rev,
    mapped: row.mapped,
    foreign: toJson(row.foreign_fields),
    base: toJson(row.base),
    isDirty,
    isLeaving: isDirty && row.operation === 'unpublish' && !row.keep_record,
    inConflict: row.conflict_at !== null,
    changedAt: toDate(row.changed_at).getTime(),
  };
}

/** MariaDB reads a JSON null as the string 'null', so what is null is left out. */
export const toAdmittedRow = (admitted: AdmittedAddress): UpdateRow => ({
  ...admitted.address,
  version: 0,
  outcome: admitted.outcome,
  rev: admitted.rev,
  entity_name: admitted.entityName,
  entity_id: admitted.entityId,
  cid: admitted.cid ?? undefined,
  mapped: admitted.mapped ?? undefined,
  foreign_fields: toText(admitted.foreign),
  base: toText(admitted.base),
});

export const toIssueRow = (issue: Omit<InboundIssue, 'createdAt'>): UpdateRow => ({
  ...issue.address,
  kind: issue.kind,
  entity_name: issue.entityName,
  entity_id: issue.entityId,
  rev: issue.rev,
  cid: issue.cid ?? undefined,
  record: toText(issue.record),
  local_record: toText(issue.local),
  reason: readable(issue.reason),
});

export function toIssue(row: IssueRow): InboundIssue {
  const { did, collection, rkey } = row;
  return {
    address: { did, collection, rkey },
    kind: row.kind,
    entityName: row.entity_name,
    entityId: row.entity_id,
    rev: row.rev,
    cid: row.cid,
    record: toJson(row.record),
    local: toJson(row.local_record),
    reason: row.reason,
    createdAt: toDate(row.created_at),
  };
}

export const uriOfRow = (row: Pick<KnownRow, 'did' | 'collection' | 'rkey'>): string => atUri(row);

/** JSON in a field of JSON. */
const toText = (json: unknown): string | undefined => (json === null ? undefined : JSON.stringify(json));
