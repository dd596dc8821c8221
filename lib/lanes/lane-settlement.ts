import type { RepositoryState } from '../pds/repository-state.store.js';
import type { SqlScript, Statement } from '../database/sql-script.js';
import type { Change } from '../sync/change.js';
import type { SettlementLedger, Settling } from '../sync/settlement-ledger.js';
import type { LeasedLane } from './leased-lane.js';
import type { PendingEntry, SettledEntry, Settlement } from '../pending/pending-entry.js';
import type { PendingChangeStore } from '../pending/pending-change.store.js';

/** The part of a durable store that is used here. */
type SettlesWithRows = Pick<PendingChangeStore, 'settleRow'> &
  Required<Pick<PendingChangeStore, 'settleWith'>>;

export const settlesWithRows = <T extends PendingChangeStore>(store: T): store is T & SettlesWithRows =>
  store.settleWith !== undefined;

/** Settles the entries of one attempt in the transactions that write their rows. */
export class LaneSettlement implements SettlementLedger {
  readonly settled = new Set<Change>();

  constructor(
    private readonly store: SettlesWithRows,
    private readonly held: LeasedLane,
    private readonly entries: ReadonlyMap<string, PendingEntry>,
    /** The lane is given back together with the last of these changes. Null if its worker gives it back. */
    private readonly givesBackAfter: readonly Change[] | null,
  ) {}

  async settle<T extends Settling>(
    rows: SqlScript<readonly T[]>,
    state: (done: readonly T[]) => RepositoryState | undefined,
  ): Promise<readonly T[]> {
    let settlement: Settlement | undefined;
    const done = await this.store.settleWith(
      this.held.lease,
      rows,
      (written) => (settlement = this.settlement(written, state(written))),
    );
    if (settlement) this.keep(done, settlement);
    return done;
  }

  async settleRow(row: Statement, settling: Settling, state: RepositoryState | undefined): Promise<boolean> {
    const settlement = this.settlement([settling], state);
    if (!(await this.store.settleRow?.(this.held.lease, row, settlement))) return false;
    this.keep([settling], settlement);
    return true;
  }

  private settlement(done: readonly Settling[], state: RepositoryState | undefined): Settlement {
    return { done: done.flatMap((settling) => this.entryOf(settling)), state, isLast: this.isLast(done) };
  }

  private keep(done: readonly Settling[], { state, isLast }: Settlement): void {
    if (state) this.held.state.keeps(state);
    if (isLast) this.held.givenBack();
    for (const change of finalOf(done)) this.settled.add(change);
  }

  private isLast(done: readonly Settling[]): boolean {
    const final = new Set(finalOf(done));
    return this.givesBackAfter?.every((change) => final.has(change) || this.settled.has(change)) ?? false;
  }

  private entryOf({ target, isFinal, rev }: Settling): SettledEntry[] {
    const { uri, desired, change } = target;
    const entry = this.entries.get(uri);
    if (!entry) return [];
    const settled = { uri, version: entry.version, stays: !isFinal, rev };
    if (desired.kind !== 'record') return [{ ...settled, cid: null }];
    const { cid, record } = desired.prepared;
    return [{ ...settled, cid, ...(change.entity.mergesRecords && { base: record }) }];
  }
}

const finalOf = (done: readonly Settling[]): Change[] =>
  done.flatMap(({ target, isFinal }) => (isFinal ? [target.change] : []));
