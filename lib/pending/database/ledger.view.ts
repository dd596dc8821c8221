import { parseAtUri } from '../../model/address.js';
import type { PendingView, PendingStats, WrittenAddress } from '../pending-views.js';
import type { LedgerAccess } from './ledger.access.js';
import { LEDGER_COLUMNS, toDate, type LedgerRow } from './ledger-row.js';
import { isBacklog } from './due-conditions.js';

interface InspectedRow extends LedgerRow {
  readonly pending_since: number | string | null;
  readonly tried_at: number | string | null;
  readonly dead_at: number | string | null;
  readonly dead_reason: string | null;
  readonly needs_session: number | string;
  readonly backlog: number | string;
}

interface StatsRow {
  readonly pending: number | string;
  readonly parked: number | string;
  readonly leased: number | string;
  readonly dead: number | string;
  readonly oldest: number | string | null;
}

interface WrittenRow {
  readonly did: string;
  readonly collection: string;
  readonly rkey: string;
  readonly entity_id: string;
  readonly cid: string;
}

/** The ledger for readers. Each method does what `PendingSyncReader` specifies. */
export class LedgerView {
  constructor(private readonly access: LedgerAccess) {}

  async inspect(uri: string): Promise<PendingView | null> {
    const address = parseAtUri(uri);
    if (!address) return null;
    const { ledger, lane } = this.access.dialect;
    const [row] = await this.access.rows<InspectedRow>(
      `SELECT ${LEDGER_COLUMNS}, l.pending_since, l.tried_at, l.dead_at, l.dead_reason, ` +
        'CASE WHEN l.session_wanted_at > COALESCE(a.unparked_at, 0) THEN 1 ELSE 0 END AS needs_session, ' +
        `CASE WHEN ${isBacklog((column) => `a.${column}`)} THEN 1 ELSE 0 END AS backlog ` +
        `FROM ${ledger} l LEFT JOIN ${lane} a ON a.did = l.did WHERE l.rkey = $3 AND l.did = $1 AND l.collection = $2 ` +
        'AND (l.pending_since IS NOT NULL OR l.dead_at IS NOT NULL)',
      [address.did, address.collection, address.rkey],
    );
    if (!row) return null;
    return {
      sync: this.access.toSync(row),
      tried: row.tried_at !== null,
      needsSession: Number(row.needs_session) === 1,
      backlog: Number(row.backlog) === 1,
      inConflict: row.conflict_at !== null,
      dead:
        row.pending_since === null && row.dead_at !== null
          ? { reason: row.dead_reason ?? '', at: toDate(row.dead_at) }
          : null,
    };
  }

  async stats(): Promise<PendingStats> {
    const { ledger, lane } = this.access.dialect;
    const pending = `FROM ${ledger} l WHERE l.pending_since IS NOT NULL`;
    const [row] = await this.access.rows<StatsRow>(
      `SELECT (SELECT count(*) ${pending}) AS pending, (SELECT min(l.pending_since) ${pending}) AS oldest, ` +
        `(SELECT count(*) FROM ${ledger} l WHERE l.dead_at IS NOT NULL) AS dead, ` +
        `(SELECT count(*) FROM ${lane} a WHERE a.park_reason IS NOT NULL) AS parked, ` +
        `(SELECT count(*) FROM ${lane} a WHERE a.leased AND a.ready_at > $now) AS leased`,
      [],
    );
    return {
      pending: Number(row?.pending),
      parked: Number(row?.parked),
      leased: Number(row?.leased),
      dead: Number(row?.dead),
      oldestWaiting: row?.oldest == null ? null : toDate(row.oldest),
    };
  }

  /** In the order of the primary key. Includes dead letters, because their record may exist all the same. */
  async written(
    entityName: string,
    { after, limit }: { readonly after: string | null; readonly limit: number },
  ): Promise<WrittenAddress[]> {
    const from = parseAtUri(after) ?? { rkey: '', did: '', collection: '' };
    const rows = await this.access.rows<WrittenRow>(
      `SELECT l.did, l.collection, l.rkey, l.entity_id, l.cid FROM ${this.access.dialect.ledger} l ` +
        // Spelled out, because MySQL compares tuples without using the index.
        'WHERE l.rkey >= $1 AND (l.rkey > $1 OR l.did > $2 OR (l.did = $2 AND l.collection > $3)) ' +
        // A record that no entity was made of is of no interest, and not ours to delete.
        "AND l.entity_name = $4 AND l.entity_id <> '' AND l.cid IS NOT NULL AND l.pending_since IS NULL AND NOT l.keep_record " +
        'ORDER BY l.rkey, l.did, l.collection LIMIT $5',
      [from.rkey, from.did, from.collection, entityName, limit],
    );
    return rows.map(({ did, collection, rkey, entity_id, cid }) => ({
      address: { did, collection, rkey },
      entityId: entity_id,
      cid,
    }));
  }
}
