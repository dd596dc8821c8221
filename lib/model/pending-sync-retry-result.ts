/** The outcome of a retry of pending syncs, of one DID or of all that were due. */
export class PendingSyncRetryResult {
  constructor(
    readonly total: number,
    readonly succeeded: number,
    readonly failed: number,
    /** Discarded because of `maxAttempts`, or because of the ttl. */
    readonly skipped: number,
    readonly errors: readonly string[] = [],
  ) {}

  /** The sum of several outcomes. */
  static sum(results: readonly PendingSyncRetryResult[]): PendingSyncRetryResult {
    const all = (count: (result: PendingSyncRetryResult) => number): number =>
      results.reduce((sum, result) => sum + count(result), 0);
    return new PendingSyncRetryResult(
      all(({ total }) => total),
      all(({ succeeded }) => succeeded),
      all(({ failed }) => failed),
      all(({ skipped }) => skipped),
      results.flatMap(({ errors }) => errors),
    );
  }

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
