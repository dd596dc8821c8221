import { atUri, parseAtUri } from '../../model/address.js';
import type { PendingSync } from '../../model/pending-sync.js';
import type { UpdateRow } from './dialect.js';
import type { LedgerAccess } from './ledger.access.js';
import { toDate, toSync, type LedgerRow } from './ledger-row.js';
import { PURGE } from './ledger.updates.js';

/** A pending sync that was given up. */
export interface DeadLetter {
  readonly sync: PendingSync;
  readonly reason: string;
  /** ISO 8601. */
  readonly diedAt: string;
}

export interface DeadLetterPage {
  /** Oldest first. */
  readonly letters: DeadLetter[];
  /** For `after`; null: there are no more. */
  readonly next: string | null;
}

const PURGED = 500;

/** What was given up: kept until it is requeued, purged, or its address is captured again. */
export class DeadLetters {
  constructor(private readonly access: LedgerAccess) {}

  /** @param options `limit`: 100 unless given; `after`: `next` of the page before */
  async list(
    options: { readonly did?: string; readonly limit?: number; readonly after?: string } = {},
  ): Promise<DeadLetterPage> {
    const { did, limit = 100, after } = options;
    const [since = '0', uri] = after?.split(' ') ?? [];
    const from = parseAtUri(uri) ?? { did: '', collection: '', rkey: '' };
    const rows = await this.access.rows<LedgerRow & { dead_at: number | string; dead_reason: string }>(
      this.access.sql.ledger.dead(did !== undefined),
      [Number(since), from.did, from.collection, from.rkey, limit, ...(did === undefined ? [] : [did])],
    );
    const last = rows.at(-1);
    return {
      letters: rows.map((row) => ({
        sync: toSync(row),
        reason: row.dead_reason,
        diedAt: toDate(row.dead_at).toISOString(),
      })),
      next: last && rows.length >= limit ? `${Number(last.dead_at)} ${atUri(last)}` : null,
    };
  }

  /** Makes a pending sync of it again, with all its attempts. False if there is none of this id. */
  async requeue(id: string): Promise<boolean> {
    const address = parseAtUri(id);
    if (!address) return false;
    const { did, collection, rkey } = address;
    const { affected } = await this.access.query(this.access.sql.ledger.requeue, [did, collection, rkey]);
    if (affected === 0) return false;
    await this.access.query(this.access.sql.lanes.wake, [did]);
    return true;
  }

  /** Forgets those that were given up before `olderThan`. Returns how many. */
  async purge(olderThan: Date): Promise<number> {
    const age = (Date.now() - olderThan.getTime()) * 1_000;
    let purged = 0;
    for (;;) {
      const rows = await this.access.rows<UpdateRow>(this.access.sql.ledger.deadBefore, [age, PURGED]);
      const { keys } = rows.length > 0 ? await this.access.update(PURGE, rows) : { keys: [] };
      purged += keys.length;
      if (keys.length === 0) return purged;
    }
  }
}
