import type { QueryRunner } from 'typeorm';
import type { Removal, Touch } from '../sync/change.js';

/** What one connection has written and not committed yet. A savepoint that is rolled back takes its own part, and no other. */
export class TransactionLog {
  private touches: Touch[] = [];
  /** Length of `touches` at the start of the transaction and of each savepoint in it. */
  private readonly marks: number[] = [];
  /** What was asked of entities before their rows went. */
  readonly removals = new Map<string, Removal>();

  get isOpen(): boolean {
    return this.marks.length > 0;
  }

  get isOutermost(): boolean {
    return this.marks.length === 1;
  }

  get pending(): readonly Touch[] {
    return this.touches;
  }

  add(touch: Touch): void {
    this.touches.push(touch);
  }

  start(): void {
    if (this.marks.length === 0) this.touches = [];
    this.marks.push(this.touches.length);
  }

  /** @returns what is committed now: nothing as long as an outer transaction is open */
  commit(): Touch[] {
    this.marks.pop();
    return this.isOpen ? [] : this.take();
  }

  rollback(): void {
    this.touches.length = this.marks.pop() ?? 0;
  }

  take(): Touch[] {
    const taken = this.touches;
    this.touches = [];
    return taken;
  }
}

/** By query runner, not in `queryRunner.data`, which `save(x, { data })` swaps. */
export class TransactionLogs {
  private readonly logs = new WeakMap<QueryRunner, TransactionLog>();

  of(runner: QueryRunner): TransactionLog {
    let log = this.logs.get(runner);
    if (!log) this.logs.set(runner, (log = new TransactionLog()));
    return log;
  }
}
