import { atUri, parseAtUri } from '../../model/address.js';
import { expired, unclaimed, UNCLAIMED_LIFE } from '../discard-reasons.js';
import type { Discarded, Lease, PendingEntry } from '../pending-entry.js';
import { readable } from '../readable.js';
import type { UpdateRow } from './dialect.js';
import type { LedgerAccess } from './ledger.access.js';
import { micros } from './ledger-row.js';
import { keyed } from './ledger.settlement.js';
import { GIVE_UP, REMOVE } from './ledger.updates.js';
import type { LeftClasses } from './left-classes.js';

/**
 * How many rows {@link LedgerRemovals.cleanup} gives up, {@link LedgerRemovals.removeForDid} removes at a
 * time.
 */
const PAGE = 500;

/** What goes from a ledger undone. Each method does what `PendingChangeStore` says of it. */
export class LedgerRemovals {
  constructor(
    private readonly access: LedgerAccess,
    private readonly left: LeftClasses,
    /** Seconds until a pending sync is given up; null: never. */
    private readonly ttl: number | null,
  ) {}

  async discard(
    given: readonly { readonly entry: PendingEntry; readonly reason: string }[],
    lease?: Lease,
  ): Promise<Discarded[]> {
    if (given.length === 0) return [];
    const rows = given.flatMap(({ entry, reason }) =>
      keyed(entry.sync.uri, entry.version, { reason: readable(reason) }),
    );
    const { keys } = await this.access.update(GIVE_UP, rows, lease);
    const gone = new Set(keys.map(atUri));
    return given
      .filter(({ entry }) => gone.has(entry.sync.uri))
      .map(({ entry, reason }) => ({ sync: entry.sync, reason }));
  }

  async remove(id: string): Promise<boolean> {
    const address = parseAtUri(id);
    if (!address) return false;
    const { did, collection, rkey } = address;
    return (await this.access.query(this.access.sql.ledger.remove, [did, collection, rkey])).affected > 0;
  }

  async removeForDid(did: string): Promise<number> {
    let removed = 0;
    for (;;) {
      const rows = await this.access.rows<UpdateRow>(this.access.sql.ledger.versions, [did, PAGE]);
      const { keys } = rows.length > 0 ? await this.access.update(REMOVE, rows) : { keys: [] };
      removed += keys.length;
      // None: there are none, or all that are left are being captured again.
      if (keys.length === 0) return removed;
    }
  }

  async cleanup(): Promise<Discarded[]> {
    const { access, ttl } = this;
    if (ttl !== null) {
      const old = await access.entries(access.sql.ledger.expired, [micros(ttl * 1_000), PAGE]);
      const gone = await this.discard(old.map((entry) => ({ entry, reason: expired(ttl) })));
      if (gone.length > 0) return gone;
    }
    const left = this.left.parameters;
    if (left.length === 0) return [];
    const lost = await access.entries(access.sql.ledger.unclaimed, [micros(UNCLAIMED_LIFE), PAGE, ...left]);
    return this.discard(lost.map((entry) => ({ entry, reason: unclaimed(entry.entityName) })));
  }
}
