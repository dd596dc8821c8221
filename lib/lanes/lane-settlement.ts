import type { RepositoryState } from '../pds/repository-state.store.js';
import type { SqlScript } from '../database/sql-script.js';
import type { Change } from '../sync/change.js';
import type { SettlementLedger, Settling } from '../sync/settlement-ledger.js';
import type { LeasedLane } from './leased-lane.js';
import type { PendingEntry, SettledEntry } from '../pending/pending-entry.js';
import type { PendingSyncStore } from '../pending/pending-sync.store.js';

/** Settles the entries of one try in the transactions that write their rows. */
export class LaneSettlement implements SettlementLedger {
  readonly settled = new Set<Change>();

  constructor(
    private readonly settleWith: NonNullable<PendingSyncStore['settleWith']>,
    private readonly held: LeasedLane,
    private readonly entries: ReadonlyMap<string, PendingEntry>,
  ) {}

  async settle<T extends Settling>(
    rows: SqlScript<readonly T[]>,
    state: (done: readonly T[]) => RepositoryState | undefined,
  ): Promise<readonly T[]> {
    let kept: RepositoryState | undefined;
    const done = await this.settleWith(this.held.lease, rows, (written) => ({
      done: written.flatMap((one) => this.entryOf(one)),
      state: (kept = state(written)),
    }));
    if (kept) this.held.state.keeps(kept);
    for (const { target, isFinal } of done) if (isFinal) this.settled.add(target.change);
    return done;
  }

  private entryOf({ target: { uri, desired }, isFinal }: Settling): SettledEntry[] {
    const entry = this.entries.get(uri);
    const cid = desired.kind === 'record' ? desired.prepared.cid : null;
    return entry ? [{ uri, version: entry.version, cid, stays: !isFinal }] : [];
  }
}
