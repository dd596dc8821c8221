import type {
  EntitySubscriberInterface,
  TransactionCommitEvent,
  TransactionRollbackEvent,
  TransactionStartEvent,
} from 'typeorm';
import type { ChangeFeed } from './change-feed.js';
import { currentManagedCall } from './call-context.js';

/**
 * Follows the transactions and savepoints of a DataSource. It hears no entity events, so unmarked entities
 * cost nothing.
 */
export class TransactionSubscriber implements EntitySubscriberInterface {
  constructor(private readonly feed: ChangeFeed) {}

  afterTransactionStart({ queryRunner }: TransactionStartEvent): void {
    this.feed.log(queryRunner).start();
    const scope = currentManagedCall();
    if (scope) scope.runner ??= queryRunner;
  }

  beforeTransactionCommit({ queryRunner }: TransactionCommitEvent): Promise<void> | void {
    return this.feed.beforeCommit(queryRunner);
  }

  afterTransactionCommit({ queryRunner }: TransactionCommitEvent): Promise<void> | void {
    return this.feed.afterCommit(queryRunner);
  }

  afterTransactionRollback({ queryRunner }: TransactionRollbackEvent): Promise<void> {
    return this.feed.afterRollback(queryRunner);
  }
}
