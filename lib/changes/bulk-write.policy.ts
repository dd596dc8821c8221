import { BulkWriteError } from '../errors/bulk-write.error.js';

export type BulkWriteReaction = 'warn' | 'throw' | 'ignore';

/**
 * Reacts to a write by query builder that names no rows: the module cannot find them, so their records do not
 * follow.
 */
export class BulkWritePolicy {
  constructor(
    private readonly reaction: BulkWriteReaction,
    private readonly warn: (message: string) => void,
  ) {}

  /**
   * To be called before the statement, which an error still prevents.
   *
   * @param write by a query builder, or a method that writes the whole table
   * @throws BulkWriteError with `onBulkWrite: 'throw'`
   */
  met(entityName: string, write: string): void {
    const message = `${describe(entityName, write)} ${ALTERNATIVES}, or ${AFTERWARDS}`;
    if (this.reaction === 'throw')
      throw new BulkWriteError(`${message} (Prevented: onBulkWrite is 'throw'.)`, { entityName });
    this.tell(message);
  }

  /**
   * To be called after the statement, which can no longer be prevented. The caller may have used the very
   * method that {@link met} recommends, so the warning does not name it.
   */
  missed(entityName: string, write: string): void {
    this.tell(`${describe(entityName, write)} Please ${AFTERWARDS}`);
  }

  private tell(message: string): void {
    if (this.reaction !== 'ignore')
      this.warn(`${message} (Option onBulkWrite: 'warn' | 'throw' | 'ignore'.)`);
  }
}

const describe = (entityName: string, write: string): string =>
  `${write} of ${entityName}: the rows it concerns are unknown, so their records do not follow.`;

const ALTERNATIVES = `Use save(), remove(), or the repository's update(), delete(), softDelete(), restore(), upsert()`;
const AFTERWARDS = 'call ParityService.touch() or reconcile() afterwards.';
