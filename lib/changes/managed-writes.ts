import type { DataSource, EntityManager } from 'typeorm';
import type { SyncedEntities } from '../records/synced-entities.js';
import type { SyncedEntity } from '../records/synced-entity.js';
import type { BulkWritePolicy } from './bulk-write.policy.js';
import type { ChangeFeed } from './change-feed.js';
import { withRowsCaptured } from './commit-scope.js';
import { CriteriaCapture } from './criteria-capture.js';

export type WriteMethod = (...args: unknown[]) => Promise<unknown>;

const COMMITS = ['save', 'remove', 'softRemove', 'recover', 'insert', 'transaction'];
const BY_CRITERIA = ['update', 'delete', 'softDelete', 'restore', 'increment', 'decrement', 'upsert'];
const WHOLE_TABLE = { updateAll: 'An update', deleteAll: 'A delete', clear: 'A truncate' };

/**
 * Wraps the writing methods of an entity manager, for two things that subscribers cannot do: to sync after the connection is given
 * back (in a commit hook it is held, and an error there makes TypeORM roll back), and to learn the rows of a write by criteria.
 */
export class ManagedWrites {
  private readonly capture: CriteriaCapture;

  constructor(
    private readonly dataSource: DataSource,
    private readonly entities: SyncedEntities,
    private readonly feed: ChangeFeed,
    private readonly bulk: BulkWritePolicy,
  ) {
    this.capture = new CriteriaCapture(feed);
  }

  /** @returns takes the wrapping off again */
  wrap(manager: EntityManager): () => void {
    const methods = manager as unknown as Record<string, WriteMethod>;
    const wrapped = [...COMMITS, ...BY_CRITERIA, ...Object.keys(WHOLE_TABLE)].filter(
      (name) => name in methods,
    );
    for (const name of wrapped) {
      const original: WriteMethod = methods[name]!.bind(manager);
      methods[name] = this.wrapper(name, manager, original);
    }
    return () => wrapped.forEach((name) => delete methods[name]);
  }

  private wrapper(name: string, manager: EntityManager, original: WriteMethod): WriteMethod {
    // Inside a transaction the commit is somebody else's, who will wait for the sync.
    const inTransaction = (): boolean => manager.queryRunner?.isTransactionActive === true;
    if (COMMITS.includes(name)) {
      return (...args) =>
        inTransaction() ? original(...args) : this.feed.managed(manager.queryRunner, () => original(...args));
    }
    if (BY_CRITERIA.includes(name)) {
      return async (...args) => {
        const entity = this.autoSynced(args[0]);
        if (!entity) return original(...args);
        if (inTransaction()) return this.capture.run(entity, manager, name, original, args);
        return manager.transaction((tx) => (tx as unknown as Record<string, WriteMethod>)[name]!(...args));
      };
    }
    return async (...args) => {
      const entity = this.autoSynced(args[0]);
      if (entity) this.bulk.met(entity.name, WHOLE_TABLE[name as keyof typeof WHOLE_TABLE]);
      return withRowsCaptured(() => original(...args));
    };
  }

  private autoSynced(target: unknown): SyncedEntity | undefined {
    const known =
      this.dataSource.hasMetadata(target as string) && this.dataSource.getMetadata(target as string).target;
    const entity = this.entities.find(known);
    return entity?.sync.level === 'auto' && entity.mapper ? entity : undefined;
  }
}
