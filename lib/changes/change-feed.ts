import type { QueryRunner } from 'typeorm';
import type { AuthenticationError } from '../errors/authentication.error.js';
import { untilApart } from '../database/sql-script.js';
import type { EntityWrite } from '../sync/change.js';
import { CommittedBatch } from '../sync/committed-batch.js';
import { authFailure, type Dispatched, type SyncDispatcher } from '../sync/sync-dispatcher.js';
import { ManagedCall, currentManagedCall, during, type Call } from './call-context.js';
import { TransactionLogs, type TransactionLog } from './transaction-log.js';
import { currentUnit, type UnitParticipant } from './unit-of-work.js';

/**
 * From what the subscribers see to the dispatcher: held back until the outermost commit, then handed to the
 * call that committed it, and dispatched once that call has given its connection back.
 */
export class ChangeFeed implements UnitParticipant {
  private readonly logs = new TransactionLogs();
  /** Callers that hold a connection of their own while they wait for their records. */
  private waiting = 0;

  constructor(
    private readonly dispatcher: SyncDispatcher,
    /**
     * SQLite: all callers share one connection, so an error at a commit would make its caller roll back
     * another caller's transaction.
     */
    readonly sharesConnection: boolean,
    private readonly warn: (message: string) => void,
    /**
     * How many callers may hold a connection while they wait: a slow PDS must not take the whole pool. A
     * further caller goes on at once.
     */
    private readonly maxWaiting = Infinity,
  ) {}

  log(runner: QueryRunner): TransactionLog {
    return this.logs.of(runner);
  }

  /** An entity was written. Outside a transaction that is a commit of its own. */
  touched(write: EntityWrite, runner: QueryRunner): Promise<void> | void {
    const log = this.log(runner);
    const scope = currentManagedCall();
    // Not `isTransactionActive`: on SQLite another caller's BEGIN may be under way, which starts the log only
    // when it is done.
    if (log.isOpen) log.add(write);
    else if (scope) scope.committed.writes.push(write);
    else return this.loose(write, log, runner);
  }

  private async loose(write: EntityWrite, log: TransactionLog, runner: QueryRunner): Promise<void> {
    // TypeORM raises the events of one statement together: they are one batch.
    log.loose.push(write);
    await Promise.resolve();
    const batch = log.loose.splice(0);
    if (batch.length > 0) await this.committed(new CommittedBatch(batch), runner);
  }

  /**
   * Gives no promise where there is nothing to wait for: these run for every transaction, marked entities in
   * it or not.
   */
  beforeCommit(runner: QueryRunner): Promise<void> | void {
    const log = this.log(runner);
    if (log.isOutermost && !log.isCaptured) return this.capture(log, runner);
  }

  /**
   * On a shared connection other saves may join the transaction while its changes are captured: theirs are
   * captured as well.
   */
  private async capture(log: TransactionLog, runner: QueryRunner): Promise<void> {
    while (!log.isCaptured) {
      const writes = log.uncaptured;
      const captured = await this.dispatcher.beforeCommit(writes, runner);
      if (!captured) return;
      log.capture(writes.length, captured);
    }
  }

  afterCommit(runner: QueryRunner): Promise<void> | void {
    const committed = this.log(runner).commit(!runner.isTransactionActive);
    if (!committed.isEmpty) return this.committed(committed, runner);
  }

  /**
   * On a shared connection another caller's write that seems to be part of the transaction may have come just
   * before its BEGIN: its row is looked at, which publishes nothing if it is not there.
   */
  async afterRollback(runner: QueryRunner): Promise<void> {
    const log = this.log(runner);
    const dropped = log.rollback(!runner.isTransactionActive);
    if (!this.sharesConnection) return;
    const strangers = dropped.filter(({ origin }) => origin !== currentManagedCall()).map(unproven);
    if (log.isOpen) strangers.forEach((write) => log.add(write));
    else if (strangers.length > 0) await this.committed(new CommittedBatch(strangers), runner);
  }

  /**
   * Runs a call of the application; resolves, or rejects for an auth failure, when what it committed is
   * dispatched.
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

  /** At the end of a unit of work, whose connections are all given back. */
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

  /** Inside a managed call its end is awaited; a commit by hand has to wait here, on its own connection. */
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
    if (!runner) return this.dispatcher.afterCommit(batch, run);
    if (this.waiting >= this.maxWaiting) return this.dispatcher.afterCommit(batch, { ...run, deadline: 0 });
    this.waiting += 1;
    try {
      return await this.dispatcher.afterCommit(batch, run);
    } finally {
      this.waiting -= 1;
      // A transaction that begins earlier would be part of the module's own.
      await untilApart(runner);
    }
  }
}

/** What the event told of the row may be undone. */
const unproven = (write: EntityWrite): EntityWrite => ({
  ...write,
  inserted: false,
  stored: undefined,
});
