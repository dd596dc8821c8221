import type { QueryRunner } from 'typeorm';
import type { AuthenticationError } from '../errors/authentication.error.js';
import { untilApart } from '../database/sql-script.js';
import type { EntityWrite } from '../sync/change.js';
import { CommittedBatch } from '../sync/committed-batch.js';
import { isAdmitting } from '../sync/network-writes.js';
import { authFailure, type Dispatched, type SyncDispatcher } from '../sync/sync-dispatcher.js';
import { ManagedCall, currentManagedCall, during, type Call } from './call-context.js';
import { TransactionLogs, type TransactionLog } from './transaction-log.js';
import { currentUnit, type UnitParticipant } from './unit-of-work.js';

/**
 * Takes entity writes from the subscribers to the dispatcher. It holds them back until the outermost commit,
 * hands them to the call that committed them, and dispatches them once that call has given its connection
 * back.
 */
export class ChangeFeed implements UnitParticipant {
  private readonly logs = new TransactionLogs();
  /** How many callers wait for their records while they hold a connection. */
  private waiting = 0;

  constructor(
    private readonly dispatcher: SyncDispatcher,
    /**
     * True on SQLite: all callers share one connection, so an error at a commit would make its caller roll
     * back another caller's transaction.
     */
    readonly sharesConnection: boolean,
    private readonly warn: (message: string) => void,
    /**
     * How many callers may hold a connection while they wait, so that a slow PDS does not take the whole
     * pool. A further caller does not wait for its records.
     */
    private readonly maxWaiting = Infinity,
  ) {}

  log(runner: QueryRunner): TransactionLog {
    return this.logs.of(runner);
  }

  /** Takes one entity write. Outside a transaction it is a commit of its own. */
  touched(write: EntityWrite, runner: QueryRunner): Promise<void> | void {
    const log = this.log(runner);
    const scope = currentManagedCall();
    // Not `isTransactionActive`: on SQLite another caller's BEGIN may be under way, and only a BEGIN that is
    // done starts the log.
    if (log.isOpen) log.add(write);
    else if (scope) scope.committed.writes.push(write);
    else return this.loose(write, log, runner);
  }

  private async loose(write: EntityWrite, log: TransactionLog, runner: QueryRunner): Promise<void> {
    // TypeORM raises all events of one statement in one go; they make one batch.
    log.loose.push(write);
    await Promise.resolve();
    const batch = log.loose.splice(0);
    if (batch.length > 0) await this.committed(new CommittedBatch(batch), runner);
  }

  /**
   * Returns no promise where there is nothing to wait for, because it runs for every transaction, with or
   * without marked entities.
   */
  beforeCommit(runner: QueryRunner): Promise<void> | void {
    const log = this.log(runner);
    if (log.isOutermost && !log.isCaptured) return this.capture(log, runner);
  }

  /**
   * On a shared connection other saves may join the transaction while its changes are captured. Their writes
   * have to be captured too, before the commit.
   */
  private async capture(log: TransactionLog, runner: QueryRunner): Promise<void> {
    while (!log.isCaptured) {
      const writes = log.uncaptured;
      const { rollbacks } = log;
      const captured = await this.dispatcher.beforeCommit(writes, runner);
      if (!captured) return;
      // A savepoint that was rolled back meanwhile has taken the captured changes with it.
      if (log.rollbacks === rollbacks) log.capture(writes, captured);
    }
  }

  afterCommit(runner: QueryRunner): Promise<void> | void {
    const committed = this.log(runner).commit(!runner.isTransactionActive);
    if (!committed.isEmpty) return this.committed(committed, runner);
  }

  /**
   * On a shared connection, the log of a transaction may contain another caller's write that was committed
   * just before the BEGIN. Such a write is not dropped: its row is read, and nothing is published if the row
   * is not there.
   */
  async afterRollback(runner: QueryRunner): Promise<void> {
    const log = this.log(runner);
    const dropped = log.rollback(!runner.isTransactionActive);
    if (!this.sharesConnection) return;
    const others = dropped.filter(({ origin }) => origin !== currentManagedCall()).map(unproven);
    if (log.isOpen) others.forEach((write) => log.add(write));
    else if (others.length > 0) await this.committed(new CommittedBatch(others), runner);
  }

  /**
   * Runs a call of the application. Resolves once what it committed is dispatched; rejects for an auth
   * failure.
   */
  async managed<T>(
    runner: QueryRunner | undefined,
    call: () => Promise<T>,
    known: Partial<Call> = {},
  ): Promise<T> {
    const scope = new ManagedCall(this.dispatcher.version);
    let result: T;
    try {
      result = await during({ ...known, scope }, call);
    } catch (error) {
      await this.finish(scope, runner);
      throw error;
    }
    scope.isOpen = false;
    if (scope.committed.isEmpty) return result;
    const failure = await this.finish(scope, runner);
    if (failure) throw failure;
    return result;
  }

  /** To be called at the end of a unit of work, which has given back all its connections. */
  async dispatchUnit(batch: CommittedBatch): Promise<AuthenticationError | undefined> {
    return authFailure(await this.dispatch(batch, undefined));
  }

  private async finish(
    scope: ManagedCall,
    runner: QueryRunner | undefined,
  ): Promise<AuthenticationError | undefined> {
    scope.isOpen = false;
    if (scope.committed.isEmpty) return undefined;
    const unit = currentUnit();
    if (unit) {
      unit.add(this, scope.committed);
      return undefined;
    }
    return authFailure(
      (await this.dispatch(scope.committed, runner)).filter(({ origin }) => origin === scope),
    );
  }

  /**
   * The end of a managed call is awaited by its caller. A transaction that was committed by hand has no such
   * end, so its commit waits here and keeps its connection.
   */
  private async committed(batch: CommittedBatch, runner: QueryRunner): Promise<void> {
    const scope = currentManagedCall();
    const unit = currentUnit();
    if (scope) scope.committed.add(batch);
    else if (unit) unit.add(this, batch);
    else {
      const failure = authFailure(await this.dispatch(batch, runner));
      if (!failure) return;
      if (!this.sharesConnection) throw failure;
      this.warn(
        `${failure.message} (Not thrown: the transaction was committed by hand, on a connection that others use too.)`,
      );
    }
  }

  private async dispatch(batch: CommittedBatch, runner: QueryRunner | undefined): Promise<Dispatched[]> {
    let own = runner;
    const run = { runner: () => own, leaveRunner: () => (own = undefined) };
    // An admission waits for no record: the work on that record may be waiting for an admission.
    if (isAdmitting()) return this.dispatcher.afterCommit(batch, { ...run, deadline: 0 });
    if (!runner) return this.dispatcher.afterCommit(batch, run);
    if (this.waiting >= this.maxWaiting) return this.dispatcher.afterCommit(batch, { ...run, deadline: 0 });
    this.waiting += 1;
    try {
      return await this.dispatcher.afterCommit(batch, run);
    } finally {
      this.waiting -= 1;
      // A transaction that begins earlier on this connection would be part of the module's own.
      await untilApart(runner);
    }
  }
}

/** The insert or update may have been rolled back, so only the stored row can be believed. */
const unproven = (write: EntityWrite): EntityWrite => ({
  ...write,
  inserted: false,
  stored: undefined,
});
