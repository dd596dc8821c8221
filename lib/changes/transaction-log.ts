import type { QueryRunner } from 'typeorm';
import type { EntityWrite, Removal, Resolved } from '../sync/change.js';
import { CommittedBatch } from '../sync/committed-batch.js';

/** What one connection has written and not committed yet. A savepoint that is rolled back takes its own part, and no other. */
export class TransactionLog {
  private writes: EntityWrite[] = [];
  /** What was captured for the commit that is about to be made, and of how many writes. */
  private captured: Resolved[] = [];
  private capturedCount = 0;
  /** Length of `writes` at the start of the transaction and of each savepoint in it. */
  private readonly marks: number[] = [];
  /** Written outside a transaction: committed already, and about to be handed on. */
  readonly loose: EntityWrite[] = [];
  /** What was asked of entities before their rows went. Outlives the transaction: on a shared connection a stranger's commit may come first. */
  readonly removals = new Map<string, Removal>();
  /** The criteria of updates by entity class, while events that name no row are expected. */
  readonly updates = new Map<unknown, object[]>();

  get isOpen(): boolean {
    return this.marks.length > 0;
  }

  get isOutermost(): boolean {
    return this.marks.length === 1;
  }

  get pending(): readonly EntityWrite[] {
    return this.writes;
  }

  get isCaptured(): boolean {
    return this.writes.length === this.capturedCount;
  }

  /** What is not captured yet. */
  get uncaptured(): readonly EntityWrite[] {
    return this.writes.slice(this.capturedCount);
  }

  /** The next `count` writes are captured. @param as undefined: nothing was to be captured */
  capture(count: number, as: Resolved | undefined): void {
    if (!as) return;
    this.capturedCount += count;
    this.captured.push(as);
  }

  add(write: EntityWrite): void {
    this.writes.push(write);
  }

  start(): void {
    this.marks.push(this.writes.length);
  }

  /**
   * @param over no transaction is open any more, whatever was counted (savepoints that nobody released go with the commit)
   * @returns what is committed now: nothing as long as an outer transaction is open
   */
  commit(over: boolean): CommittedBatch {
    this.marks.pop();
    if (over) this.marks.length = 0;
    if (this.isOpen) return new CommittedBatch();
    const batch = new CommittedBatch([...this.uncaptured], this.captured);
    this.end();
    return batch;
  }

  /** @returns what is taken back */
  rollback(over: boolean): EntityWrite[] {
    const mark = this.marks.pop() ?? 0;
    if (over) this.marks.length = 0;
    return this.isOpen ? this.writes.splice(mark) : this.end();
  }

  private end(): EntityWrite[] {
    const taken = this.writes;
    this.writes = [];
    this.captured = [];
    this.capturedCount = 0;
    this.updates.clear();
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
