import { atUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import { KeyedQueue } from '../runtime/keyed-queue.js';
import { within } from '../runtime/within.js';
import type { Change } from './change.js';
import type { AccountWork, Delivery, Results } from './delivery.js';
import { mergedByAddress } from './merged-changes.js';
import type { SettledVersions } from './settled-versions.js';
import type { SyncRun } from './sync-run.js';

export interface AccountDeliveryOptions {
  readonly work: AccountWork;
  readonly versions: SettledVersions;
  /** How long a caller waits, in ms. The work goes on after that. */
  readonly deadline: number;
}

/**
 * Works on changes while their caller waits. Accounts are worked on in parallel. Each account has one piece
 * of work at a time, because a repository takes one commit at a time, and a later decision must see what was
 * settled before.
 */
export class AccountDelivery implements Delivery {
  private readonly queue = new KeyedQueue();
  private isStopped = false;

  constructor(private readonly options: AccountDeliveryOptions) {}

  async deliver(changes: readonly Change[], run: SyncRun, since: number): Promise<SyncResult[]> {
    const open = changes.filter(({ settled }) => !settled);
    if (this.isStopped && open.length > 0 && (await this.options.work.postpone(open, run)))
      return pending(changes, 'the application shuts down');
    const results: Results = new Map();
    if (open.length > 0) {
      const work = this.deliverAll(mergedByAddress(open), run, since, results);
      await within(run.deadline ?? this.options.deadline, work);
      run.leaveRunner?.();
    }
    return pending(changes, 'still under way when the deadline was over', results);
  }

  areGone(changes: readonly Change[]): Promise<boolean> {
    return this.options.work.areGone(changes);
  }

  stop(): void {
    this.isStopped = true;
  }

  drain(): Promise<void> {
    return this.queue.idle();
  }

  /**
   * Accounts that only lose records come last, so that a record which moves is in its new place before it
   * leaves the old one.
   */
  private async deliverAll(
    changes: readonly Change[],
    run: SyncRun,
    since: number,
    results: Results,
  ): Promise<void> {
    const accounts = [...Map.groupBy(changes, ({ address }) => address.did)];
    const leaving = accounts.filter(([, own]) => own.every(({ givenUp }) => givenUp));
    for (const group of [accounts.filter((account) => !leaving.includes(account)), leaving])
      await Promise.all(group.map(([did, own]) => this.deliverTo(did, own, run, since, results)));
  }

  private async deliverTo(
    did: string,
    changes: readonly Change[],
    run: SyncRun,
    since: number,
    results: Results,
  ): Promise<void> {
    const open: Change[] = [];
    for (const change of changes) {
      const result = this.isAsRead(did, since) ? await this.options.work.resultInHand(change, run) : null;
      if (result) results.set(atUri(change.address), result);
      else open.push(change);
    }
    if (open.length === 0) return;
    for (const [uri, result] of await this.queue.run(did, () => this.workOn(did, open, run)))
      results.set(uri, result);
  }

  /**
   * Whether what was read of the account's rows is still true: no work of this process on the account has
   * ended since, and none is under way.
   */
  private isAsRead(did: string, since: number): boolean {
    return !this.queue.isBusy(did) && this.options.versions.of(did) <= since;
  }

  private async workOn(did: string, changes: readonly Change[], run: SyncRun): Promise<Results> {
    const { work, versions } = this.options;
    try {
      const { results, elsewhere } = await work.run(did, changes, run);
      // Not awaited: work on that account may be waiting for this one.
      if (elsewhere.length > 0) void this.deliver(elsewhere, {}, -1);
      return results;
    } finally {
      versions.raise(did);
    }
  }
}

/** Gives each change without a result a pending one, with this reason. */
export const pending = (
  changes: readonly Change[],
  reason: string,
  results: Results = new Map(),
): SyncResult[] =>
  changes.map(
    ({ address, settled }) =>
      results.get(atUri(address)) ?? settled ?? new SyncResult('pending', { reason, uri: atUri(address) }),
  );
