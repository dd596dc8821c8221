/** What a retry of the pending syncs of one DID did. */
export class PendingSyncRetryResult {
  constructor(
    readonly total: number,
    readonly succeeded: number,
    readonly failed: number,
    /** Discarded because `maxAttempts` was reached, or the ttl. */
    readonly skipped: number,
    readonly errors: readonly string[] = [],
  ) {}

  hasFailures(): boolean {
    return this.failed > 0;
  }

  allSucceeded(): boolean {
    return this.succeeded === this.total;
  }

  isEmpty(): boolean {
    return this.total === 0;
  }
}
