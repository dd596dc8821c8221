import type { EntityWrite, Resolved } from './change.js';

/** What one commit, or several together, have written, on its way from the transaction to the dispatcher. */
export class CommittedBatch {
  /**
   * @param writes of which nothing was captured
   * @param captured what was captured in the transactions themselves
   */
  constructor(
    readonly writes: EntityWrite[] = [],
    readonly captured: Resolved[] = [],
  ) {}

  get isEmpty(): boolean {
    return this.writes.length === 0 && this.captured.length === 0;
  }

  /** Whether all of it was captured, and none of it needs work. */
  get isSettled(): boolean {
    return (
      this.writes.length === 0 &&
      this.captured.every(
        ({ changes, unresolved, unowned }) =>
          unresolved.length + unowned.length === 0 && changes.every(({ settled }) => settled),
      )
    );
  }

  add({ writes, captured }: CommittedBatch): void {
    this.writes.push(...writes);
    this.captured.push(...captured);
  }
}
