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
  /** How long a caller waits, in ms; the work goes on without it. */
  readonly deadline: number;
}

/**
 * Works on changes while their caller waits: accounts side by side, and one piece of work at a time for each,
 * because a repository takes one commit at a time, and what is decided later sees what was settled before.
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
      const work = this.all(mergedByAddress(open), run, since, results);
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

  /** A record that moves is in its new place before it leaves the old one. */
  private async all(
    changes: readonly Change[],
    run: SyncRun,
    since: number,
    results: Results,
  ): Promise<void> {
    const accounts = [...Map.groupBy(changes, ({ address }) => address.did)];
    const leaving = accounts.filter(([, some]) => some.every(({ givenUp }) => givenUp));
    for (const group of [accounts.filter((account) => !leaving.includes(account)), leaving])
      await Promise.all(group.map(([did, some]) => this.account(did, some, run, since, results)));
  }

  private async account(
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
    for (const [uri, result] of await this.queue.run(did, () => this.work(did, open, run)))
      results.set(uri, result);
  }

  /** Whether no work of this process can have changed what was read of an account's rows. */
  private isAsRead(did: string, since: number): boolean {
    return !this.queue.isBusy(did) && this.options.versions.of(did) <= since;
  }

  private async work(did: string, changes: readonly Change[], run: SyncRun): Promise<Results> {
    const { work, versions } = this.options;
    try {
      const { results, elsewhere } = await work.run(did, changes, run);
      // Not waited for: the work on that account may wait for this one.
      if (elsewhere.length > 0) void this.deliver(elsewhere, {}, -1);
      return results;
    } finally {
      versions.raise(did);
    }
  }
}

/** What has no result yet is pending, for a reason. */
export const pending = (
  changes: readonly Change[],
  reason: string,
  results: Results = new Map(),
): SyncResult[] =>
  changes.map(
    ({ address, settled }) =>
      results.get(atUri(address)) ?? settled ?? new SyncResult('pending', { reason, uri: atUri(address) }),
  );
