import type { QueryRunner } from 'typeorm';
import type { Removal, EntityWrite } from '../sync/change.js';

/** What one connection has written and not committed yet. A savepoint that is rolled back takes its own part, and no other. */
export class TransactionLog {
  private writes: EntityWrite[] = [];
  /** Length of `touches` at the start of the transaction and of each savepoint in it. */
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
  commit(over: boolean): EntityWrite[] {
    this.marks.pop();
    if (over) this.marks.length = 0;
    return this.isOpen ? [] : this.end();
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
