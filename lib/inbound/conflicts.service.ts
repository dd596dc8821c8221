import { checkNames } from '../model/option-checks.js';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { atUri, parseAtUri } from '../model/address.js';
import type { RecordJson } from '../model/evidence.js';
import type { InboundIssue, InboundLedger } from '../pending/inbound.ledger.js';
import type { Admission } from './admission.js';
import type { ForcedResolution } from './admission-config.js';

/** A row and its record that were changed on both sides. Neither is published or applied meanwhile. */
export interface OpenConflict {
  /** The at-uri of the record. */
  readonly id: string;
  readonly did: string;
  readonly entityName: string;
  readonly entityId: string;
  /** The record as this application would publish it; null for a deletion. */
  readonly local: RecordJson | null;
  /** The record as it is in the repository; null for a deletion. */
  readonly remote: RecordJson | null;
  readonly createdAt: Date;
}

export interface ConflictQuery {
  /** Only conflicts of this account. */
  readonly did?: string;
  /** Conflicts in a page. Default 100. */
  readonly limit?: number;
  /** `id` of the last one of the page before. */
  readonly after?: string;
}

export interface ConflictsConfig {
  readonly ledger: InboundLedger;
  readonly admission: Admission;
}

/** Conflicts that wait for a decision (`conflicts: 'manual'`). */
export class Conflicts {
  constructor(private readonly config: ConflictsConfig) {}

  /** Oldest first. */
  async list(query: ConflictQuery = {}): Promise<OpenConflict[]> {
    checkNames<ConflictQuery>('conflicts.list()', query, { did: true, limit: true, after: true });
    const { did, limit = 100, after } = query;
    const last = after === undefined ? null : await this.issueOf(after);
    const issues = await this.config.ledger.issues({
      kind: 'conflict',
      limit,
      ...(did !== undefined && { did }),
      ...(last && { after: last }),
    });
    return issues.map(toConflict);
  }

  /**
   * Ends a conflict on both sides.
   *
   * @param decision 'local': the row is published over the record; 'remote': the row follows the record;
   *   fields of the record: both sides get the record with these fields
   * @returns false if no conflict is open there any more
   */
  resolve(id: string, decision: 'local' | 'remote' | RecordJson): Promise<boolean> {
    if (decision === 'local' || decision === 'remote') return this.end(id, { side: decision });
    if (typeof decision === 'object' && decision !== null)
      return this.end(id, { side: 'merged', record: decision });
    throw new ParityOptionsError(
      `conflicts.resolve() got ${String(decision)}; it takes 'local', 'remote', or fields of the record.`,
    );
  }

  /**
   * Leaves row and record as they are, although they differ. The row is published when it changes next.
   *
   * @returns false if no conflict is open there any more
   */
  dismiss(id: string): Promise<boolean> {
    return this.end(id, { side: 'dismissed' });
  }

  private async end(id: string, resolution: ForcedResolution): Promise<boolean> {
    const issue = await this.issueOf(id);
    if (issue?.kind !== 'conflict') return false;
    const { address, rev, cid, record } = issue;
    const content = record ? { record } : {};
    const evidence = { ...address, rev, cid, ...content, source: 'audit', live: true } as const;
    await this.config.admission.admit([evidence], { resolution });
    return true;
  }

  private async issueOf(id: string): Promise<InboundIssue | null> {
    const address = parseAtUri(id);
    if (!address)
      throw new ParityOptionsError(`'${id}' is no id of a conflict, which is the at-uri of its record.`);
    return this.config.ledger.issue(address);
  }
}

const toConflict = ({
  address,
  entityName,
  entityId,
  local,
  record,
  createdAt,
}: InboundIssue): OpenConflict => ({
  id: atUri(address),
  did: address.did,
  entityName,
  entityId,
  local,
  remote: record,
  createdAt,
});
