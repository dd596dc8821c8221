import { atUri, parseAtUri } from '../../model/address.js';
import type { DeadLetterPage, DeadLetterQuery, DeadLetterStore } from '../dead-letter.js';
import type { UpdateRow } from './dialect.js';
import type { LedgerAccess } from './ledger.access.js';
import { toDate, type LedgerRow } from './ledger-row.js';
import { PURGE } from './ledger.updates.js';

const PURGED = 500;

/** The dead letters of a ledger: its rows with a `dead_at`. */
export class DeadLetters implements DeadLetterStore {
  constructor(private readonly access: LedgerAccess) {}

  async list({ did, limit = 100, after }: DeadLetterQuery = {}): Promise<DeadLetterPage> {
    const [since = '0', uri] = after?.split(' ') ?? [];
    const from = parseAtUri(uri) ?? { did: '', collection: '', rkey: '' };
    const rows = await this.access.rows<LedgerRow & { dead_at: number | string; dead_reason: string }>(
      this.access.sql.ledger.dead(did !== undefined),
      [Number(since), from.did, from.collection, from.rkey, limit, ...(did === undefined ? [] : [did])],
    );
    const last = rows.at(-1);
    return {
      letters: rows.map((row) => ({
        sync: this.access.toSync(row),
        reason: row.dead_reason,
        diedAt: toDate(row.dead_at).toISOString(),
      })),
      next: last && rows.length >= limit ? `${Number(last.dead_at)} ${atUri(last)}` : null,
    };
  }

  async requeue(id: string): Promise<boolean> {
    const address = parseAtUri(id);
    if (!address) return false;
    const { did, collection, rkey } = address;
    const { affected } = await this.access.query(this.access.sql.ledger.requeue, [did, collection, rkey]);
    if (affected === 0) return false;
    await this.access.query(this.access.sql.lanes.wake, [did]);
    return true;
  }

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
