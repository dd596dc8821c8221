import type { QueryRunner } from 'typeorm';
import type { EntityWrite, Removal, Resolved } from '../sync/change.js';
import { CommittedBatch } from '../sync/committed-batch.js';

/**
 * The entity writes of one connection that are not committed yet. Rolling a savepoint back drops only the
 * writes since that savepoint.
 */
export class TransactionLog {
  private writes: EntityWrite[] = [];
  /** What was captured for the coming commit, and how many writes that covers. */
  private captured: { readonly writes: readonly EntityWrite[]; readonly as: Resolved }[] = [];
  /** Lengths at the start of the transaction and of each savepoint in it. */
  private readonly marks: { readonly writes: number; readonly captured: number }[] = [];
  /** How often something was rolled back, and with it what was captured meanwhile. */
  rollbacks = 0;
  /** Writes from outside a transaction. They are committed already, and are handed on next. */
  readonly loose: EntityWrite[] = [];
  /**
   * Answers of entities from before their rows were deleted. They outlive the transaction, because on a
   * shared connection another caller's commit may come first.
   */
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
    return this.uncaptured.length === 0;
  }

  get uncaptured(): readonly EntityWrite[] {
    const done = new Set(this.captured.flatMap(({ writes }) => writes));
    return this.writes.filter((write) => !done.has(write));
  }

  capture(writes: readonly EntityWrite[], as: Resolved): void {
    this.captured.push({ writes, as });
  }

  add(write: EntityWrite): void {
    this.writes.push(write);
  }

  start(): void {
    this.marks.push({ writes: this.writes.length, captured: this.captured.length });
  }

  /**
   * @param over no transaction is open any more. A commit also ends the savepoints that were not released
   * @returns what is committed now; nothing while an outer transaction is open
   */
  commit(over: boolean): CommittedBatch {
    this.marks.pop();
    if (over) this.marks.length = 0;
    if (this.isOpen) return new CommittedBatch();
    const batch = new CommittedBatch(
      [...this.uncaptured],
      this.captured.map(({ as }) => as),
    );
    this.end();
    return batch;
  }

  /** @returns the writes that are rolled back */
  rollback(over: boolean): EntityWrite[] {
    const mark = this.marks.pop() ?? { writes: 0, captured: 0 };
    if (over) this.marks.length = 0;
    this.rollbacks += 1;
    if (!this.isOpen) return this.end();
    this.captured.splice(mark.captured);
    return this.writes.splice(mark.writes);
  }

  private end(): EntityWrite[] {
    const taken = this.writes;
    this.writes = [];
    this.captured = [];
    this.updates.clear();
    return taken;
  }
}

/** By query runner. Not in `queryRunner.data`, which `save(x, { data })` replaces. */
export class TransactionLogs {
  private readonly logs = new WeakMap<QueryRunner, TransactionLog>();

  of(runner: QueryRunner): TransactionLog {
    let log = this.logs.get(runner);
    if (!log) this.logs.set(runner, (log = new TransactionLog()));
    return log;
  }
}
