import type { QueryRunner } from 'typeorm';
import { reasonOf } from '../errors/reason-of.js';
import { ConflictDetected } from '../events/conflict-detected.event.js';
import { ConflictResolved } from '../events/conflict-resolved.event.js';
import { RecordRejected } from '../events/record-rejected.event.js';
import { atUri } from '../model/address.js';
import type { Evidence, RecordJson } from '../model/evidence.js';
import type { AdmittedAddress, InboundIssue, KnownAddress } from '../pending/inbound.ledger.js';
import type { PendingChange } from '../pending/pending-entry.js';
import type { AdmissionConfig } from './admission-config.js';
import type { AdmissionItem, AdmissionOutcome, AdmissionResult } from './admission-item.js';
import type { RowQuery } from './admission-rows.js';
import { NO_AGREEMENT, type Agreement } from './agreement.js';
import type { ConflictSides } from './conflict-choice.js';

/**
 * What one round finds out: the outcome of each piece of evidence, what the ledger is to keep of it, and what
 * follows once that is committed.
 */
export class RoundNotes {
  readonly results: AdmissionResult[] = [];
  /** To be emitted after the commit. */
  readonly events: object[] = [];
  /** DIDs of lanes that have new work. */
  readonly wakes = new Set<string>();
  /** DIDs of accounts whose rows have other record columns now. */
  readonly changedDids = new Set<string>();
  /** Changes that publish an entity at another address. */
  readonly captures: PendingChange[] = [];

  private readonly admitted: AdmittedAddress[] = [];
  private readonly issues: Omit<InboundIssue, 'createdAt'>[] = [];
  /** Addresses whose issues have ended. */
  private readonly ended = new Set<KnownAddress>();

  end(
    evidence: Evidence,
    outcome: AdmissionOutcome,
    more: Pick<AdmissionResult, 'entity' | 'reason'> = {},
  ): void {
    this.results.push({ evidence, outcome, ...more });
  }

  /** Notes what becomes of an address. */
  admit(
    { evidence, entity, known }: RowQuery,
    outcome: AdmittedAddress['outcome'],
    entityId: string,
    cid: string | null,
    { mapped, foreign, base }: Agreement = NO_AGREEMENT,
  ): void {
    const { did, collection, rkey, rev } = evidence;
    const entityName = entity.storedName;
    const address = { did, collection, rkey };
    const isNew = known === undefined;
    this.admitted.push({ address, outcome, isNew, rev, entityName, entityId, cid, mapped, foreign, base });
    if (known && (outcome === 'clean' || outcome === 'dirty')) this.ended.add(known);
  }

  /** @param keeps whether it is kept in the ledger, which takes valid keys only */
  reject(query: RowQuery, error: Error, keeps = true): void {
    const { evidence, entity, known } = query;
    const { did, cid, live, rev, record = null } = evidence;
    const reason = reasonOf(error);
    this.end(evidence, 'rejected', { reason });
    this.events.push(new RecordRejected(did, atUri(evidence), cid, entity.name, reason, error, live));
    if (!keeps) return;
    const entityId = known?.entityId ?? '';
    const about = { address: evidence, entityName: entity.storedName, entityId, rev, cid, record };
    this.issues.push({ ...about, kind: 'rejected', local: null, reason });
    this.admit(query, 'seen', entityId, known?.cid ?? null);
  }

  /** Opens a conflict, which somebody has to resolve. */
  openConflict(item: AdmissionItem, { local, remote }: ConflictSides): void {
    const { evidence, entity, known, rowId = '' } = item;
    const { rev, cid } = evidence;
    const entityId = known?.entityId ?? rowId;
    const about = { address: evidence, entityName: entity.storedName, entityId, rev, cid };
    const reason = `${item.uri} was changed here and elsewhere.`;
    this.issues.push({ ...about, kind: 'conflict', record: remote, local, reason });
    this.admit(item, 'conflict', entityId, known?.cid ?? null);
    this.end(evidence, 'conflicted');
    this.tellConflict(item, { local, remote });
  }

  tellConflict(
    { evidence, entity, known, uri }: AdmissionItem,
    { local, remote }: { readonly local: RecordJson | null | undefined; readonly remote: RecordJson | null },
  ): void {
    const { did, live } = evidence;
    const id = known?.entityId ?? '';
    this.events.push(new ConflictDetected(did, uri, entity.name, id, local, remote, live));
  }

  tellResolved(
    { evidence, entity, known, uri }: AdmissionItem,
    resolution: ConflictResolved['resolution'],
    { local, remote }: ConflictSides,
  ): void {
    const { did, live } = evidence;
    const id = known?.entityId ?? '';
    this.events.push(new ConflictResolved(did, uri, entity.name, id, resolution, local, remote, live));
  }

  /** Writes to the ledger what was noted, in the round's transaction. */
  async write({ ledger, changes }: AdmissionConfig, runner: QueryRunner): Promise<void> {
    const ended = [...this.ended].map(({ address }) => address);
    if (this.admitted.length > 0) await ledger.admit(this.admitted, runner);
    if (ended.length > 0) await ledger.removeIssues(ended, runner);
    if (this.issues.length > 0) await ledger.keepIssues(this.issues, runner);
    if (this.captures.length > 0) await changes.capture(this.captures, runner);
  }
}
