import { BulkWriteError } from '../errors/bulk-write.error.js';
import { areRowsCaptured } from './commit-scope.js';

export type BulkWriteReaction = 'warn' | 'throw' | 'ignore';

/** What happens when a write names no rows (query builder), so that their records cannot follow. */
export class BulkWritePolicy {
  constructor(
    private readonly reaction: BulkWriteReaction,
    private readonly warn: (message: string) => void,
  ) {}

  /** Before the statement. @throws BulkWriteError which prevents it, with `onBulkWrite: 'throw'` */
  met(entityName: string, write: string): void {
    if (this.reaction === 'ignore' || areRowsCaptured()) return;
    const message =
      `${write} of ${entityName} by query builder: the rows it concerns are unknown, so their records do not follow. ` +
      `Use save(), remove(), or the repository's update(), delete(), softDelete(), restore(), upsert(); ` +
      `or call ParityService.touch() or reconcile() afterwards.`;
    if (this.reaction === 'throw')
      throw new BulkWriteError(`${message} (Prevented: onBulkWrite is 'throw'.)`, { entityName });
    this.warn(`${message} (Option onBulkWrite: 'warn' | 'throw' | 'ignore'.)`);
  }
}
