import type { Evidence } from '../../model/evidence.js';
import type { InboundLedger, KnownAddress } from '../../pending/inbound.ledger.js';

const PAGE = 500;

/**
 * Finds the addresses of one collection that a whole snapshot lacks. Both sides come in the byte order of
 * their keys, so only a page of one of them is in memory.
 */
export class Absences {
  private page: readonly KnownAddress[] = [];
  private next = 0;
  private after = '';
  private isLast = false;

  constructor(
    private readonly ledger: Pick<InboundLedger, 'addresses'>,
    private readonly snapshot: { readonly did: string; readonly collection: string; readonly rev: string },
  ) {}

  /** The addresses before `rkey` that the snapshot lacks; it has this one. */
  async before(rkey: string): Promise<Evidence[]> {
    return this.take((known) => known < rkey, rkey);
  }

  /** All that are left: the snapshot has no more. */
  async rest(): Promise<Evidence[]> {
    return this.take(() => true, undefined);
  }

  private async take(isBefore: (rkey: string) => boolean, present: string | undefined): Promise<Evidence[]> {
    const found: Evidence[] = [];
    for (let known = await this.peek(); known; known = await this.peek()) {
      const { rkey } = known.address;
      if (!isBefore(rkey)) {
        if (rkey === present) this.next += 1;
        break;
      }
      this.next += 1;
      const { did, collection, rev } = this.snapshot;
      if (known.cid !== null && (known.rev === null || known.rev < rev))
        found.push({ did, collection, rkey, rev, cid: null, source: 'import', live: false });
    }
    return found;
  }

  private async peek(): Promise<KnownAddress | undefined> {
    if (this.next >= this.page.length && !this.isLast) {
      const { did, collection } = this.snapshot;
      this.page = await this.ledger.addresses(did, collection, { after: this.after, limit: PAGE });
      this.next = 0;
      this.isLast = this.page.length < PAGE;
      this.after = this.page.at(-1)?.address.rkey ?? this.after;
    }
    return this.page[this.next];
  }
}
