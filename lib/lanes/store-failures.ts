import { reasonOf } from '../errors/reason-of.js';
import { SyncResult } from '../model/sync-result.js';
import type { Change } from '../sync/change.js';
import type { FailureReports } from '../sync/failure-reports.js';

/** Reports that pending syncs could not be stored. */
export class StoreFailures {
  constructor(
    /** Whether the store is durable. */
    private readonly durable: boolean,
    private readonly reports: FailureReports,
    private readonly logger: { error(message: string): void },
  ) {}

  log(did: string, error: unknown): void {
    const lost = this.durable ? '' : ', so that what fails now is not kept';
    this.logger.error(`Storing the pending syncs of ${did} failed${lost}: ${reasonOf(error)}`);
  }

  /** A durable store has captured the changes before, so their result is pending. */
  report(changes: readonly Change[], error: Error): SyncResult {
    const result = new SyncResult(this.durable ? 'pending' : 'failed', { error });
    for (const change of changes)
      this.reports.outcome({ change, result, entity: change.instance }, this.durable);
    return result;
  }
}
