import { AuthenticationError } from '../errors/authentication.error.js';
import { PendingSyncFailed } from '../events/pending-sync-failed.event.js';
import { PendingSyncRetried } from '../events/pending-sync-retried.event.js';
import { SyncFailed } from '../events/sync-failed.event.js';
import { PendingSyncRetryResult } from '../model/pending-sync-retry-result.js';
import type { Change } from '../sync/change.js';
import { LaneQueue } from '../sync/lane-queue.js';
import { toChange } from './entry-change.js';
import type { LaneTries, Tried } from './lane-tries.js';
import type { Lease, PendingEntry } from './pending-entry.js';

export interface LaneWorkerOptions {
  readonly tries: LaneTries;
  /** Failed tries of the record itself after which an entry is given up; null: never. */
  readonly maxAttempts: number | null;
}

/** Entries of one try: one request to the PDS, and the most that a crash makes uncertain. */
const BATCH = 200;

/** Works off what is pending in a lane. */
export class LaneWorker {
  private readonly queue = new LaneQueue();

  constructor(private readonly options: LaneWorkerOptions) {}

  /**
   * Tries each pending sync of the lane once. Two calls for one DID come one after the other, so that nothing is tried twice.
   *
   * @param backlog also what was captured before the account signed in last
   * @throws AuthenticationError if the account still has to act; everything is left as it was, and the lane is parked
   */
  work(did: string, options: { backlog: boolean }): Promise<PendingSyncRetryResult> {
    return this.queue.run(did, () => this.round(did, options));
  }

  /** Resolves when nothing is under way any more. */
  drain(): Promise<void> {
    return this.queue.idle();
  }

  private async round(did: string, options: { backlog: boolean }): Promise<PendingSyncRetryResult> {
    const { store } = this.options.tries.options;
    const tally = new Tally();
    /** What has failed in this round, as of a version: not tried again, unless it changes meanwhile. */
    const failed = new Set<string>();
    // Here, in the queue: before it, a worker that sees the lane free would take what the caller wants to hear of.
    if (options.backlog) await store.unpark(did, { retry: true });
    // A lease that finds nothing to do would send an inline save away meanwhile.
    if ((await store.due(did, { limit: 1, ...options })).length === 0) return tally.result();
    for (;;) {
      const { failures, retryAt } = await store.lane(did);
      const lease = await this.options.tries.lease(did);
      if (!lease) return tally.result();
      const due = await store.due(did, { limit: BATCH + failed.size, ...options });
      const batch = due.filter(({ sync, version }) => !failed.has(`${sync.uri} ${version}`)).slice(0, BATCH);
      if (batch.length === 0) {
        await store.release(lease, { retryAt, failures });
        return tally.result();
      }
      const auth = await this.batch(lease, failures, batch, tally, failed);
      if (auth) throw auth;
      if (tally.outage) return tally.result();
    }
  }

  private async batch(
    lease: Lease,
    failures: number,
    batch: readonly PendingEntry[],
    tally: Tally,
    failed: Set<string>,
  ): Promise<AuthenticationError | undefined> {
    const { tries, maxAttempts } = this.options;
    const { entities, store } = tries.options;
    const changes = new Map<Change, PendingEntry>();
    const given: { entry: PendingEntry; reason: string }[] = [];
    for (const entry of batch) {
      // A durable store remembers requests without an answer with the lane.
      const change = toChange(entry, entities, !store.durable);
      if (maxAttempts !== null && entry.sync.attempts >= maxAttempts) {
        given.push({
          entry,
          reason: `${entry.sync.attempts} tries failed, the last with: ${entry.sync.lastError ?? 'unknown'}`,
        });
      } else if (!change) {
        given.push({ entry, reason: `there is no entity ${entry.entityName} any more` });
      } else changes.set(change, entry);
    }
    if (given.length > 0) tally.skipped += await tries.discard(lease, given);
    const entries = new Map([...changes.values()].map((entry) => [entry.sync.uri, entry]));
    const tried = await tries.run(lease, failures, [...changes.keys()], entries, {}, true);
    for (const { sync, version } of entries.values())
      if (tried.kept.get(sync.uri)?.version === version) failed.add(`${sync.uri} ${version}`);
    return this.tell(tried, changes, tally);
  }

  private tell(
    { outcomes, kept }: Tried,
    entries: ReadonlyMap<Change, PendingEntry>,
    tally: Tally,
  ): AuthenticationError | undefined {
    const { tries } = this.options;
    const { events } = tries.options;
    for (const outcome of outcomes) {
      const { change, failure } = outcome;
      const entry = entries.get(change);
      if (!entry) continue;
      const sync = kept.get(entry.sync.uri)?.sync ?? entry.sync;
      events.emit(new PendingSyncRetried(sync, failure === undefined));
      if (failure === undefined) {
        tally.succeeded += 1;
        continue;
      }
      // The first try of a change that was captured before it was tried.
      if (entry.sync.lastError === null) {
        const { did, uri, operation, entityName, entityId } = sync;
        const { error } = failure;
        events.emit(new SyncFailed(did, uri, operation, error, true, entityName, entityId, outcome.entity));
        tries.captured(sync, outcome.entity);
      }
      if (failure.kind === 'auth') return failure.error as AuthenticationError;
      tally.fail(failure.error.message, failure.kind === 'transient');
      if (!(failure.error instanceof AuthenticationError))
        events.emit(new PendingSyncFailed(sync, failure.error));
    }
    return undefined;
  }
}

class Tally {
  succeeded = 0;
  skipped = 0;
  /** The PDS does not do its part: the rest of the lane waits. */
  outage = false;
  private failed = 0;
  private readonly errors: string[] = [];

  fail(message: string, transient: boolean): void {
    this.failed += 1;
    this.errors.push(message);
    this.outage ||= transient;
  }

  result(): PendingSyncRetryResult {
    const { succeeded, failed, skipped, errors } = { ...this, failed: this.failed, errors: this.errors };
    return new PendingSyncRetryResult(succeeded + failed + skipped, succeeded, failed, skipped, errors);
  }
}
