import { AuthenticationError } from '../errors/authentication.error.js';
import { PendingSyncFailed } from '../events/pending-sync-failed.event.js';
import { PendingSyncRetried } from '../events/pending-sync-retried.event.js';
import { SyncFailed } from '../events/sync-failed.event.js';
import { PendingSyncRetryResult } from '../model/pending-sync-retry-result.js';
import { soon } from '../runtime/backoff.js';
import type { Change } from '../sync/change.js';
import { KeyedQueue } from '../runtime/keyed-queue.js';
import { UNRESOLVED_DID } from '../sync/unresolved.js';
import { spent } from '../pending/discard-reasons.js';
import { isKnown, toChange } from '../pending/change-entries.js';
import type { LeasedLane } from './leased-lane.js';
import { leasedWhenFree } from './leased-when-free.js';
import type { LaneAttempts, AttemptResult } from './lane-attempts.js';
import { heldBack } from './next-attempt.js';
import type { LaneNext, PendingEntry } from '../pending/pending-entry.js';

export interface LaneWorkerOptions {
  readonly attempts: LaneAttempts;
  /** Failed tries of the record itself after which an entry is given up; null: never. */
  readonly maxAttempts: number | null;
  /** In ms: how long a retry by hand waits for another process that has the lane. Default 30000. */
  readonly patience?: number;
}

interface Taken {
  /** All of them backfill, or none. */
  readonly batch: readonly PendingEntry[];
  readonly next: LaneNext;
}

/** Entries of one try: one request to the PDS, and the most that a crash makes uncertain. */
const BATCH = 200;
/**
 * Entries of all tries that are under way, as far as the batches don't get too small for it (25 of each of
 * ten accounts go through a PDS as fast as 200): what has to wait for its answer longer than it takes to make
 * as much garbage again is garbage that stays.
 */
const UNDER_WAY = 250;
const SMALL_BATCH = 25;
/** Of what was asked for by hand while another process has the lane: all. */
const ALL = 2 ** 31 - 1;

/** Works off what is pending in a lane. */
export class LaneWorker {
  private readonly queue = new KeyedQueue();
  /**
   * By DID, what has failed since the lane was last asleep, as of a version: not tried again before, unless
   * it changes meanwhile.
   */
  private readonly failed = new Map<string, Set<string>>();

  constructor(private readonly options: LaneWorkerOptions) {}

  /**
   * Tries each pending sync of the lane once. Two calls for one DID come one after the other, so that nothing
   * is tried twice.
   *
   * @param options.backlog also what was captured before the account signed in last
   * @param options.turn asked after each request: whether it is another account's turn, and the rest of the
   *   lane waits for its next one. Whoever takes turns has seen that something is due
   * @throws AuthenticationError if the account still has to act; everything is left as it was, and the lane
   *   is parked
   */
  work(did: string, options: { backlog: boolean; turn?: () => boolean }): Promise<PendingSyncRetryResult> {
    return this.queue.run(did, () => this.round(did, options));
  }

  /** Resolves when nothing is under way any more. */
  drain(): Promise<void> {
    return this.queue.idle();
  }

  private async round(
    did: string,
    options: { backlog: boolean; turn?: () => boolean },
  ): Promise<PendingSyncRetryResult> {
    const { store } = this.options.attempts.options;
    const tally = new Tally();
    // Here, in the queue: before it, a worker that sees the lane free would take what the caller wants to
    // hear of.
    if (options.backlog) await store.unpark(did, { retry: true });
    const byHand = !options.turn;
    // A lease that finds nothing to do would send an inline save away meanwhile.
    const first = byHand ? await this.due(did, { limit: 1, ...options }) : [];
    if (byHand && first.length === 0) return tally.result();
    let goesOn = false;
    let held: LeasedLane | null = null;
    try {
      held = await this.options.attempts.gate.take(did);
      if (!held && byHand) {
        const asked = [...first, ...(await this.due(did, { limit: ALL, ...options }))];
        held = await leasedWhenFree(this.options.attempts, did, this.options.patience ?? 30_000);
        await this.tellOthersWork(did, asked, held === null, tally);
      }
      if (!held) return tally.result();
      do {
        goesOn = false;
        await held.permit();
        const taken = await this.take(held, options);
        const { batch, next } = taken;
        if (batch.length > 0) await this.batch(held, taken, tally);
        else held.skip(next);
        goesOn = batch.length > 0 && next !== 'asleep' && !tally.outage;
      } while (goesOn && !options.turn?.());
      return tally.result();
    } finally {
      await held?.release();
      if (!goesOn) this.failed.delete(did);
    }
  }

  /** What was asked for and is done by now, was done by the process that had the lane. */
  private async tellOthersWork(
    did: string,
    asked: readonly PendingEntry[],
    isBusy: boolean,
    tally: Tally,
  ): Promise<void> {
    const uris = [...new Set(asked.map(({ sync }) => sync.uri))];
    const pending = await this.options.attempts.options.store.at(did, uris);
    tally.succeeded += uris.length - pending.length;
    for (const { sync } of isBusy ? pending : [])
      tally.fail(`Another process still works on ${did}, and ${sync.uri} is pending.`, false);
  }

  /**
   * The next entries to be tried together, and what becomes of the lane after them; none: nothing is due, or
   * has to wait.
   */
  private async take(held: LeasedLane, options: { backlog: boolean }): Promise<Taken> {
    const { writer } = this.options.attempts.options;
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

  /** What is due of the classes that this process knows; the others are left to processes that do. */
  private async due(did: string, options: { limit: number; backlog: boolean }): Promise<PendingEntry[]> {
    const { store, entities, log } = this.options.attempts.options;
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

  private async batch(held: LeasedLane, { batch, next }: Taken, tally: Tally): Promise<void> {
    const { attempts, maxAttempts } = this.options;
    const { entities } = attempts.options;
    const changes = new Map<Change, PendingEntry>();
    const given: { entry: PendingEntry; reason: string }[] = [];
    for (const entry of batch) {
      const change = toChange(entry, entities);
      if (maxAttempts !== null && entry.sync.attempts >= maxAttempts)
        given.push({ entry, reason: spent(entry.sync) });
      else changes.set(change, entry);
    }
    if (given.length > 0) tally.skipped += await attempts.discards.discard(held.lease, given);
    const entries = new Map([...changes.values()].map((entry) => [entry.sync.uri, entry]));
    const backfill = batch[0]?.backfill ?? false;
    const one = { held, next, changes: [...changes.keys()], entries, backfill, isRetry: true };
    const tried = await attempts.run(one);
    // The lane backs off, and what could not be settled is tried again.
    if (tried.storeError) throw tried.storeError;
    const { did } = held.lease;
    const failed = new Set(this.failed.get(did));
    for (const { sync, version } of entries.values())
      if (tried.kept.get(sync.uri)?.version === version) failed.add(`${sync.uri} ${version}`);
    this.failed.set(did, failed);
    if (next === 'asleep' && (await this.isHeldUp(did, entries, tried))) held.wakes(soon());
    this.tell(tried, changes, tally);
  }

  /**
   * Whether something that is done could not be settled, because an open transaction holds it. Should that be
   * rolled back, nobody wakes the lane; what was never tried before is found by the store's sweep.
   */
  private async isHeldUp(
    did: string,
    entries: ReadonlyMap<string, PendingEntry>,
    { kept }: AttemptResult,
  ): Promise<boolean> {
    const again = [...entries].filter(([uri, { sync }]) => sync.lastError !== null && !kept.has(uri));
    if (again.length === 0) return false;
    const left = await this.options.attempts.options.store.at(
      did,
      again.map(([uri]) => uri),
    );
    return left.some(({ sync, version }) => entries.get(sync.uri)?.version === version);
  }

  private tell(
    { outcomes, kept }: AttemptResult,
    entries: ReadonlyMap<Change, PendingEntry>,
    tally: Tally,
  ): void {
    const { attempts } = this.options;
    const { events } = attempts.options;
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
      if (entry.sync.lastError === null && outcome.result.error) {
        const { did, uri, operation, entityName, entityId } = sync;
        const { error } = failure;
        // That an account could not be told was told when that was found.
        if (did !== UNRESOLVED_DID)
          events.emit(new SyncFailed(did, uri, operation, error, true, entityName, entityId, outcome.entity));
        attempts.captured(sync, outcome.entity);
      }
      if (failure.kind === 'auth') throw failure.error;
      tally.fail(failure.error.message, failure.kind === 'transient');
      if (outcome.result.error && !(failure.error instanceof AuthenticationError))
        events.emit(new PendingSyncFailed(sync, failure.error));
    }
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
