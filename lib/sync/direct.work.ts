import { atUri } from '../model/address.js';
import type { SyncResult } from '../model/sync-result.js';
import type { Change } from './change.js';
import type { AccountResults, AccountWork } from './delivery.js';
import type { FailureReports } from './failure-reports.js';
import type { SyncEngine } from './sync-engine.js';
import type { SyncRun } from './sync-run.js';
import { resultInHand } from './unchanged.js';

/** Syncs at once. A failure is reported, and not kept. */
export class DirectWork implements AccountWork {
  constructor(
    private readonly engine: SyncEngine,
    private readonly reports: FailureReports,
  ) {}

  async run(did: string, changes: readonly Change[], run: SyncRun): Promise<AccountResults> {
    const outcomes = await this.engine.run(did, changes, run);
    for (const outcome of outcomes) this.reports.outcome(outcome, false);
    return {
      results: new Map(outcomes.map(({ change, result }) => [atUri(change.address), result])),
      elsewhere: outcomes.flatMap((outcome) => outcome.elsewhere ?? []),
    };
  }

  async resultInHand(change: Change, run: SyncRun): Promise<SyncResult | null> {
    const result = await resultInHand(change, run.runner?.());
    // An earlier request without an answer may have changed the address, which the row does not know.
    return result && (await this.engine.isInDoubt(change.address)) ? null : result;
  }

  areGone(): Promise<boolean> {
    return Promise.resolve(false);
  }

  postpone(): Promise<boolean> {
    return Promise.resolve(false);
  }
}
