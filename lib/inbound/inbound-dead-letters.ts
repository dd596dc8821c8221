import { atUri, parseAtUri } from '../model/address.js';
import type { InboundIssue, InboundLedger } from '../pending/inbound.ledger.js';
import type { Fetcher, FetchResult } from './fetcher.js';

/** A record that was not taken over. */
export interface InboundDeadLetter {
  readonly uri: string;
  readonly did: string;
  /** As it is in the repository; null for a deletion. */
  readonly cid: string | null;
  /** The revision at which it was met. */
  readonly rev: string;
  readonly entityName: string;
  readonly reason: string;
  readonly createdAt: Date;
}

export interface InboundDeadLettersConfig {
  readonly ledger: InboundLedger;
  readonly fetcher: Fetcher;
}

/** Records that were not taken over, with the reason. They leave the list once they are taken over, or gone. */
export class InboundDeadLetters {
  constructor(private readonly config: InboundDeadLettersConfig) {}

  /** Oldest first.
   *
   * @param query.after `uri` of the last one of the page before
   * @param query.limit letters in a page; 100 by default
   */
  async list(
    query: { readonly did?: string; readonly after?: string; readonly limit?: number } = {},
  ): Promise<InboundDeadLetter[]> {
    const { did, after, limit = 100 } = query;
    const last = after === undefined ? null : await this.issueOf(after);
    const issues = await this.config.ledger.issues({
      kind: 'rejected',
      limit,
      ...(did !== undefined && { did }),
      ...(last && { after: last }),
    });
    return issues.map(toLetter);
  }

  /** Looks at a record again, with its present content. See `ParityService.fetch`. */
  retry(uri: string): Promise<FetchResult> {
    return this.config.fetcher.fetch(uri);
  }

  private async issueOf(uri: string): Promise<InboundIssue | null> {
    const address = parseAtUri(uri);
    return address && this.config.ledger.issue(address);
  }
}

const toLetter = ({ address, cid, rev, entityName, reason, createdAt }: InboundIssue): InboundDeadLetter => ({
  uri: atUri(address),
  did: address.did,
  cid,
  rev,
  entityName,
  reason,
  createdAt,
});
