import { PendingSyncRetryResult } from '../model/pending-sync-retry-result.js';

/** Counts what a retry does. */
export class RetryTally {
  succeeded = 0;
  skipped = 0;
  /** The PDS fails for everything, so the rest of the lane waits. */
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
