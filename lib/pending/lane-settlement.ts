import type { RepositoryState } from '../pds/repository-state.store.js';
import type { Steps } from '../records/steps.js';
import type { Change } from '../sync/change.js';
import type { SettlementLedger, Settling } from '../sync/settlement-ledger.js';
import type { Lease, PendingEntry, SettledEntry } from './pending-entry.js';
import type { PendingSyncStore } from './pending-sync.store.js';

/** Settles the entries of one try in the transactions that write their rows. */
export class LaneSettlement implements SettlementLedger {
  readonly settled = new Set<Change>();

  constructor(
    private readonly settleWith: NonNullable<PendingSyncStore['settleWith']>,
    private readonly lease: Lease,
    private readonly entries: ReadonlyMap<string, PendingEntry>,
  ) {}

  async settle<T extends Settling>(
    rows: Steps<readonly T[]>,
    state: (done: readonly T[]) => RepositoryState | undefined,
  ): Promise<readonly T[]> {
    const done = await this.settleWith(this.lease, rows, (written) => ({
      done: written.flatMap((one) => this.entryOf(one)),
      state: state(written),
    }));
    for (const { target, isFinal } of done) if (isFinal) this.settled.add(target.change);
    return done;
  }

  private entryOf({ target: { uri, desired }, isFinal }: Settling): SettledEntry[] {
    const entry = this.entries.get(uri);
    const cid = desired.kind === 'record' ? desired.prepared.cid : null;
    return entry ? [{ uri, version: entry.version, cid, stays: !isFinal }] : [];
  }
}
