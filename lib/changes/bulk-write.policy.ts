import { BulkWriteError } from '../errors/bulk-write.error.js';

export type BulkWriteReaction = 'warn' | 'throw' | 'ignore';

/** What happens when a write names no rows (query builder), so that their records cannot follow. */
export class BulkWritePolicy {
  constructor(
    private readonly reaction: BulkWriteReaction,
    private readonly warn: (message: string) => void,
  ) {}

  /** Before the statement. @throws BulkWriteError which prevents it, with `onBulkWrite: 'throw'` */
  met(entityName: string, write: string): void {
    if (this.reaction !== 'throw') return this.missed(entityName, `${write} by query builder`);
    const message = describe(entityName, `${write} by query builder`);
    throw new BulkWriteError(`${message} (Prevented: onBulkWrite is 'throw'.)`, { entityName });
  }

  /** After the statement, when nothing can be prevented any more. */
  missed(entityName: string, write: string): void {
    if (this.reaction === 'ignore') return;
    this.warn(`${describe(entityName, write)} (Option onBulkWrite: 'warn' | 'throw' | 'ignore'.)`);
  }
}

const describe = (entityName: string, write: string): string =>
  `${write} of ${entityName}: the rows it concerns are unknown, so their records do not follow. ` +
  `Use save(), remove(), or the repository's update(), delete(), softDelete(), restore(), upsert(); ` +
  `or call ParityService.touch() or reconcile() afterwards.`;
