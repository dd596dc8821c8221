import type { QueryRunner } from 'typeorm';
import { onCommittedData } from '../database/committed-data.js';
import { RecordRows } from '../entities/record-row.js';
import { atUri, type Address } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import { rememberedOf } from '../pending/change-entries.js';
import type { Park, PendingEntry } from '../pending/pending-entry.js';
import { keptTrigger } from '../sync/asked-by-hand.js';
import type { Change } from '../sync/change.js';
import type { AccountResults, AccountWork, Results } from '../sync/delivery.js';
import type { FailureReports } from '../sync/failure-reports.js';
import type { Outcome } from '../sync/outcome.js';
import type { SyncRun } from '../sync/sync-run.js';
import { resultInHand, rowsOf } from '../sync/unchanged.js';
import type { AttemptResult, LaneAttempts } from './lane-attempts.js';
import { parkedError } from './parked-error.js';
import type { StoreFailures } from './store-failures.js';

export interface LeasedWorkOptions {
  readonly attempts: LaneAttempts;
  /** Used for changes that cannot be kept, because the store fails. */
  readonly direct: AccountWork;
  /** Whether the caller of a change that meets a parked lane gets the error that parked it. */
  readonly whenParked: 'throw' | 'keep';
  readonly reports: FailureReports;
  readonly failures: StoreFailures;
}

/**
 * Syncs under the lease of the lane. Keeps changes that fail, or that meet a lane in which nothing can be
 * done now.
 */
export class LeasedWork implements AccountWork {
  constructor(private readonly options: LeasedWorkOptions) {}

  async run(did: string, changes: readonly Change[], run: SyncRun): Promise<AccountResults> {
    const { direct, failures } = this.options;
    const attempts = this.options.attempts.on(run.runner);
    try {
      return { results: await this.inLane(attempts, did, changes, run), elsewhere: [] };
    } catch (error) {
      if (!attempts.store.durable) {
        // The records are written all the same, as they are without pending syncs.
        failures.log(did, error);
        return direct.run(did, changes, run);
      }
      const result = failures.report(changes, error as Error);
      return { results: new Map(changes.map(({ address }) => [atUri(address), result])), elsewhere: [] };
    }
  }

  /** Null with a durable store: the change is in the ledger, and has to be settled there. */
  async resultInHand(change: Change, run: SyncRun): Promise<SyncResult | null> {
    const { attempts, direct } = this.options;
    if (attempts.store.durable || attempts.isRunning(change.address.did)) return null;
    const result = await direct.resultInHand(change, run);
    // What is kept for this address may ask for more than the row does.
    return result && (await this.mayBeKept(change.address)) ? null : result;
  }

  /** Where this is true, no unpublish has to be kept until an account signs in. */
  async areGone(changes: readonly Change[]): Promise<boolean> {
    for (const { entity, entityId, address } of changes) {
      if (this.options.attempts.isRunning(address.did) || (await this.mayBeKept(address))) return false;
      // The row is read after the store was asked: a write that was pending until just before is then in the
      // row.
      const row = await onCommittedData(entity.dataSource, undefined, (runner) =>
        new RecordRows(entity).read(runner, [entityId]),
      );
      if (row.get(entityId)?.uri) return false;
    }
    return true;
  }

  async postpone(changes: readonly Change[], run: SyncRun): Promise<boolean> {
    const { store } = this.options.attempts.on(run.runner);
    if (!store.durable) return false;
    try {
      for (const did of new Set(changes.map(({ address }) => address.did))) await store.wake(did);
    } catch (error) {
      this.options.failures.report(changes, error as Error);
    }
    return true;
  }

  /** @returns true also if the store cannot be asked, because then nothing is known */
  private async mayBeKept(address: Address): Promise<boolean> {
    return this.options.attempts.store.inspect(atUri(address)).then(
      (kept) => kept !== null,
      () => true,
    );
  }

  private async inLane(
    attempts: LaneAttempts,
    did: string,
    changes: readonly Change[],
    run: SyncRun,
  ): Promise<Results> {
    const { store } = attempts;
    const addresses = changes.map(({ address }) => address);
    const entered = await attempts.gate.enter(did, addresses);
    if (!('held' in entered)) {
      const { reason, park } = entered;
      if (park) return this.parked(attempts, did, changes, { reason, park }, run);
      const later = await this.later(attempts, did, changes, reason);
      // The delay may be one of the host, which the lane does not know, so the lane has to be woken.
      await store.wake(did);
      return later;
    }
    const { held, entries } = entered;
    try {
      const isHeld = (change: Change): boolean => entries.get(atUri(change.address))?.inConflict ?? false;
      const known = changes
        .filter((change) => !isHeld(change))
        .map((change) => withKept(change, entries.get(atUri(change.address))));
      const attempt = { held, changes: known, entries, next: 'as-before', givesBack: true } as const;
      const results =
        known.length === 0
          ? new Map<string, SyncResult>()
          : this.results(did, await attempts.run({ ...attempt, backfill: false, isRetry: false }, run));
      for (const { address } of changes.filter(isHeld))
        results.set(atUri(address), new SyncResult('pending', { reason: IN_CONFLICT, uri: atUri(address) }));
      if (known.length === 0) held.skip('as-before');
      return results;
    } finally {
      // The results are true although the lane could not be given back; its lease ends by itself.
      await held.release().catch((error: unknown) => this.options.failures.log(did, error));
    }
  }

  /**
   * Keeps the changes. Callers get the error that parked the lane, except for changes that need nothing done.
   */
  private async parked(
    attempts: LaneAttempts,
    did: string,
    changes: readonly Change[],
    { reason, park }: { reason: string; park: Park },
    run: SyncRun,
  ): Promise<Results> {
    const results = await this.later(attempts, did, changes, reason, true);
    if (this.options.whenParked === 'keep') return results;
    const asking: Change[] = [];
    for (const change of changes) if (!(await asksForNothing(change, run.runner?.()))) asking.push(change);
    const error = parkedError(did, park, asking);
    for (const { address } of asking) {
      const uri = atUri(address);
      results.set(uri, new SyncResult('pending', { reason, error, uri }));
    }
    return results;
  }

  private async later(
    attempts: LaneAttempts,
    did: string,
    changes: readonly Change[],
    reason: string,
    isParked = false,
  ): Promise<Results> {
    const entries = await attempts.capture(did, changes);
    const tell = isParked || !attempts.store.durable;
    const results: Results = new Map();
    for (const { address, instance } of changes) {
      const uri = atUri(address);
      const entry = entries.get(uri);
      if (entry && tell) attempts.captured(entry.sync, instance);
      results.set(uri, new SyncResult('pending', { reason, uri }));
    }
    return results;
  }

  private results(did: string, { outcomes, kept, storeError }: AttemptResult): Results {
    const { attempts, reports, failures } = this.options;
    if (storeError) failures.log(did, storeError);
    const results: Results = new Map();
    for (const outcome of outcomes) {
      const uri = atUri(outcome.change.address);
      const entry = kept.get(uri);
      reports.outcome(outcome, entry !== undefined);
      if (entry) attempts.captured(entry.sync, outcome.entity);
      results.set(uri, asPending(outcome, entry !== undefined));
    }
    return results;
  }
}

const IN_CONFLICT =
  'its record was changed elsewhere, and the conflict has to be resolved (parity.conflicts)';

/** Whether a change needs nothing done, as far as its row knows. */
async function asksForNothing(change: Change, own: QueryRunner | undefined): Promise<boolean> {
  if (change.givenUp) return change.trigger === 'auto' && change.keepRecord;
  const rows = change.snapshot
    ? [change]
    : await onCommittedData(change.entity.dataSource, own, (runner) => rowsOf([change], runner));
  const results = await Promise.all(rows.map((row) => resultInHand(row, own)));
  return results.some((result) => result !== null);
}

/**
 * Adds what the store keeps for the address of a change: a record that the row may not name, because its
 * write-back was rolled back with another transaction, and what was asked for by hand.
 */
function withKept(change: Change, entry: PendingEntry | undefined): Change {
  if (!entry) return change;
  const cid = change.cid ?? entry.cid;
  const remembered = rememberedOf(entry);
  const isOf = entry.entityName === change.entity.storedName && entry.entityId === change.entityId;
  const trigger = isOf && !entry.backfill ? keptTrigger(entry, change) : null;
  const { operation, keepRecord } = entry;
  return { ...change, cid, remembered, ...(trigger && { trigger, operation, keepRecord }) };
}

/** A failure of the record itself stays a failure. Every other failure ends with time, or with a sign-in. */
function asPending({ result, failure, change }: Outcome, kept: boolean): SyncResult {
  if (!kept || !failure || failure.kind === 'permanent' || failure.kind === 'conflict') return result;
  return new SyncResult('pending', { error: failure.error, uri: atUri(change.address) });
}
