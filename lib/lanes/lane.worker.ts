import type { PendingSyncRetryResult } from '../model/pending-sync-retry-result.js';
import { soon } from '../runtime/backoff.js';
import type { Change } from '../sync/change.js';
import { KeyedQueue } from '../runtime/keyed-queue.js';
import { spent } from '../pending/discard-reasons.js';
import { isKnown, toChange } from '../pending/change-entries.js';
import type { LeasedLane } from './leased-lane.js';
import { leasedWhenFree } from './leased-when-free.js';
import type { LaneAttempts, AttemptResult } from './lane-attempts.js';
import { heldBack } from './next-attempt.js';
import { RetryReports } from './retry-reports.js';
import { RetryTally } from './retry-tally.js';
import type { LaneNext, PendingEntry } from '../pending/pending-entry.js';
import type { LaneStore } from '../pending/lane.store.js';
import type { PendingChangeStore } from '../pending/pending-change.store.js';
import type { LaneDiscards } from './lane-discards.js';
import type { LaneGate } from './lane.gate.js';
import type { SyncedEntities } from '../entities/synced-entities.js';
import type { ParityEvents } from '../events/parity-events.js';
import type { RepositoryWriter } from '../pds/repository-writer.js';

export interface LaneWorkerOptions {
  readonly store: PendingChangeStore & Pick<LaneStore, 'unpark'>;
  readonly attempts: LaneAttempts;
  readonly gate: LaneGate;
  readonly discards: LaneDiscards;
  readonly entities: SyncedEntities;
  readonly writer: RepositoryWriter;
  readonly events: ParityEvents;
  readonly log: { warn(message: string): void };
  /**
   * After how many attempts that failed because of the record itself an entry is given up; null for never.
   */
  readonly maxAttempts: number | null;
  /** How long a retry by hand waits for another process that has the lane, in ms. Default 30000. */
  readonly patience?: number;
}

interface Taken {
  /** Either all of them are backfill, or none is. */
  readonly batch: readonly PendingEntry[];
  readonly next: LaneNext;
}

/**
 * Entries of one attempt. They make one request to the PDS, and are the most that a crash leaves uncertain.
 */
const BATCH = 200;
/**
 * Entries of all attempts under way together, unless that makes the batches too small. (25 entries of each of
 * ten accounts go through a PDS as fast as 200.) With more entries, their objects outlive the young
 * generation of the garbage collector while they wait for answers, and memory grows.
 */
const UNDER_WAY = 250;
const SMALL_BATCH = 25;
/** No limit, for entries that were asked for by hand while another process has the lane. */
const ALL = 2 ** 31 - 1;

/** Works off the pending entries of a lane. */
export class LaneWorker {
  private readonly queue = new KeyedQueue();
  /**
   * By DID, the entries that have failed since the lane last slept, each with its version. They are not
   * attempted again before it sleeps, unless they change.
   */
  private readonly failed = new Map<string, Set<string>>();
  private readonly reports: RetryReports;

  constructor(private readonly options: LaneWorkerOptions) {
    this.reports = new RetryReports(options.events);
  }

  /**
   * Attempts each pending sync of the lane once. Two calls for one DID run one after the other, so that no
   * entry is attempted twice.
   *
   * @param options.backlog also attempt entries from before the last sign-in of the account
   * @param options.turn asked after each request: whether another account's turn has come, so that the rest
   *   of the lane waits for its next turn. A caller that takes turns has seen that something is due
   * @throws AuthenticationError if the account still has to act. All entries stay as they were, and the lane
   *   is parked
   */
  work(did: string, options: { backlog: boolean; turn?: () => boolean }): Promise<PendingSyncRetryResult> {
    return this.queue.run(did, () => this.round(did, options));
  }

  /** Resolves when no work is under way any more. */
  drain(): Promise<void> {
    return this.queue.idle();
  }

  private async round(
    did: string,
    options: { backlog: boolean; turn?: () => boolean },
  ): Promise<PendingSyncRetryResult> {
    const { store, gate } = this.options;
    const tally = new RetryTally();
    // Not before the queue: a worker of this process could see the lane free, and do the work whose results
    // the caller waits for.
    if (options.backlog) await store.unpark(did, { retry: true });
    const byHand = !options.turn;
    // Looked for before the lane is leased: while a lease had nothing to do, an inline save would find the
    // lane busy and be postponed.
    const first = byHand ? await this.due(did, { limit: 1, ...options }) : [];
    if (byHand && first.length === 0) return tally.result();
    let goesOn = false;
    let held: LeasedLane | null = null;
    try {
      held = await gate.take(did);
      if (!held && byHand) {
        const asked = [...first, ...(await this.due(did, { limit: ALL, ...options }))];
        held = await leasedWhenFree(gate, did, this.options.patience ?? 30_000);
        await this.tellOthersWork(did, asked, held === null, tally);
      }
      if (!held) return tally.result();
      do {
        goesOn = false;
        await held.permit();
        const taken = await this.take(held, options);
        const { batch, next } = taken;
        if (batch.length > 0) await this.attemptBatch(held, taken, tally);
        else held.skip(next);
        goesOn = batch.length > 0 && next !== 'asleep' && !tally.outage;
      } while (goesOn && !options.turn?.());
      return tally.result();
    } finally {
      await held?.release();
      if (!goesOn) this.failed.delete(did);
    }
  }

  /** Counts entries that are gone by now as succeeded: the process that had the lane has done them. */
  private async tellOthersWork(
    did: string,
    asked: readonly PendingEntry[],
    isBusy: boolean,
    tally: RetryTally,
  ): Promise<void> {
    const uris = [...new Set(asked.map(({ sync }) => sync.uri))];
    const pending = await this.options.store.at(did, uris);
    tally.succeeded += uris.length - pending.length;
    for (const { sync } of isBusy ? pending : [])
      tally.fail(`Another process still works on ${did}, and ${sync.uri} is pending.`, false);
  }

  /**
   * The next entries to be attempted together, and what becomes of the lane after them. Without entries,
   * nothing is due, or everything due has to wait.
   */
  private async take(held: LeasedLane, options: { backlog: boolean }): Promise<Taken> {
    const { writer } = this.options;
    const { did } = held.lease;
    const failed = this.failed.get(did) ?? new Set();
    const size = Math.min(BATCH, Math.max(SMALL_BATCH, Math.floor(UNDER_WAY / this.queue.size)));
    const all = await this.due(did, { limit: size + failed.size + 1, ...options });
    const due = all.filter(({ sync, version }) => !failed.has(`${sync.uri} ${version}`));
    const [first] = due;
    if (!first) return { batch: [], next: 'asleep' };
    const { writes, retryAt } = await writer.admits(did, first.backfill, held.state);
    if (writes === 0) return { batch: [], next: heldBack(retryAt, first.backfill) };
    const alike = due.filter(({ backfill }) => backfill === first.backfill);
    const batch = alike.slice(0, Math.min(size, writes));
    const [rest] = due.slice(batch.length);
    if (!rest) return { batch, next: 'asleep' };
    return { batch, next: rest.backfill ? { backfillAt: new Date() } : 'ready' };
  }

  /**
   * The due entries of the classes that this process knows. Other entries are left to processes that know
   * theirs.
   */
  private async due(did: string, options: { limit: number; backlog: boolean }): Promise<PendingEntry[]> {
    const { store, entities, log } = this.options;
    for (;;) {
      const due = await store.due(did, options);
      const unknown = due.filter((entry) => !isKnown(entry, entities));
      if (unknown.length === 0) return due;
      for (const { entityName } of unknown) {
        if (store.leave(entityName))
          log.warn(
            `Pending syncs of an entity class '${entityName}' are left to other processes: this one does not know it.`,
          );
      }
    }
  }

  private async attemptBatch(held: LeasedLane, { batch, next }: Taken, tally: RetryTally): Promise<void> {
    const { attempts, discards, entities, maxAttempts } = this.options;
    const changes = new Map<Change, PendingEntry>();
    const given: { entry: PendingEntry; reason: string }[] = [];
    for (const entry of batch) {
      const change = toChange(entry, entities);
      if (maxAttempts !== null && entry.sync.attempts >= maxAttempts)
        given.push({ entry, reason: spent(entry.sync) });
      else changes.set(change, entry);
    }
    if (given.length > 0) tally.skipped += await discards.discard(held.lease, given);
    const entries = new Map([...changes.values()].map((entry) => [entry.sync.uri, entry]));
    const backfill = batch[0]?.backfill ?? false;
    const attempt = { held, next, changes: [...changes.keys()], entries, backfill, isRetry: true };
    const result = await attempts.run(attempt);
    // The lane backs off, and what could not be settled is attempted again.
    if (result.storeError) throw result.storeError;
    const { did } = held.lease;
    const failed = new Set(this.failed.get(did));
    for (const { sync, version } of entries.values())
      if (result.kept.get(sync.uri)?.version === version) failed.add(`${sync.uri} ${version}`);
    this.failed.set(did, failed);
    if (next === 'asleep' && (await this.isHeldUp(did, entries, result))) held.wakes(soon());
    this.reports.tell(result, changes, tally);
  }

  /**
   * Whether a change that is done could not be settled, because an open transaction holds its entry. If that
   * transaction rolls back, no commit wakes the lane. Entries that were never attempted before are found by
   * the store's sweep.
   */
  private async isHeldUp(
    did: string,
    entries: ReadonlyMap<string, PendingEntry>,
    { kept }: AttemptResult,
  ): Promise<boolean> {
    const again = [...entries].filter(([uri, { sync }]) => sync.lastError !== null && !kept.has(uri));
    if (again.length === 0) return false;
    const left = await this.options.store.at(
      did,
      again.map(([uri]) => uri),
    );
    return left.some(({ sync, version }) => entries.get(sync.uri)?.version === version);
  }
}
