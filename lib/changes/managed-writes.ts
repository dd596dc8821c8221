import type { DataSource, EntityManager, EntityMetadata, EntityTarget, ObjectLiteral } from 'typeorm';
import type { BulkWritePolicy } from './bulk-write.policy.js';
import type { ChangeFeed } from './change-feed.js';
import { whileCaptured } from './commit-scope.js';
import type { CriteriaCapture, WriteMethod } from './criteria-capture.js';
import type { InverseUpdates } from './inverse-updates.js';
import type { MarkedRows } from './marked-rows.js';

const COMMITS = ['save', 'remove', 'softRemove', 'recover', 'transaction'];
const DELEGATES = ['increment', 'decrement'];
const STATEMENTS = ['insert', 'upsert', 'update', 'delete', 'softDelete', 'restore', ...DELEGATES];
const WHOLE_TABLE: Record<string, string> = {
  updateAll: 'An update',
  deleteAll: 'A delete',
  clear: 'A truncate',
};

export interface ManagedWritesOptions {
  readonly dataSource: DataSource;
  readonly rows: MarkedRows;
  readonly feed: ChangeFeed;
  readonly bulk: BulkWritePolicy;
  readonly capture: CriteriaCapture;
  readonly inverse: InverseUpdates;
}

/**
 * Wraps the writing methods of an entity manager, for two things that subscribers cannot do: to sync after the connection is given
 * back (in a commit hook it is held, and an error there makes TypeORM roll back), and to learn the rows of a write by criteria.
 */
export class ManagedWrites {
  /** Managers that somebody still holds keep their wrapping; it does nothing any more. */
  isActive = true;
  /** `increment()` calls `update()`, which has nothing to add. */
  private delegating = false;

  constructor(private readonly options: ManagedWritesOptions) {}

  /** @returns takes the wrapping off again */
  wrap(manager: EntityManager): () => void {
    const methods = manager as unknown as Record<string, WriteMethod>;
    const wrapped = [...COMMITS, ...STATEMENTS, ...Object.keys(WHOLE_TABLE)].filter(
      (name) => name in methods,
    );
    for (const name of wrapped) {
      const original: WriteMethod = methods[name]!.bind(manager);
      const wrapper = this.wrapper(name, manager, original);
      methods[name] = (...args) => (this.isActive ? wrapper : original)(...args);
    }
    const { queryRunner } = manager;
    const unobserve = queryRunner && this.options.inverse.observe(manager, queryRunner);
    return () => {
      wrapped.forEach((name) => delete methods[name]);
      unobserve?.();
    };
  }

  private wrapper(name: string, manager: EntityManager, original: WriteMethod): WriteMethod {
    const { feed, bulk, rows } = this.options;
    if (COMMITS.includes(name)) {
      // Inside a transaction the commit is somebody else's, who will wait for the sync.
      return (...args) =>
        manager.queryRunner?.isTransactionActive
          ? original(...args)
          : feed.managed(manager.queryRunner, () => original(...args));
    }
    if (STATEMENTS.includes(name)) return (...args) => this.statement(name, manager, original, args);
    return async (...args) => {
      const metadata = this.metadataOf(args[0]);
      const [entity] = metadata ? rows.classes(metadata) : [];
      if (!entity) return original(...args);
      bulk.met(entity.name, WHOLE_TABLE[name]!);
      return whileCaptured({ target: metadata?.target, values: [] }, () => original(...args));
    };
  }

  private async statement(
    name: string,
    manager: EntityManager,
    original: WriteMethod,
    args: unknown[],
  ): Promise<unknown> {
    const { dataSource, rows, feed, capture } = this.options;
    const metadata = this.metadataOf(args[0]);
    if (!metadata || this.delegating || rows.classes(metadata).length === 0) return original(...args);
    if (manager.queryRunner?.isTransactionActive) {
      const write = DELEGATES.includes(name) ? this.delegate(original) : original;
      return capture.run(metadata, manager, name, write, args);
    }
    const inside = (other: EntityManager): Promise<unknown> =>
      (other as unknown as Record<string, WriteMethod>)[name]!(...args);
    // On SQLite the transaction of a stranger is joined, as TypeORM would: a savepoint in it would be all that its rollback undoes.
    const shared = feed.sharesConnection ? dataSource.createQueryRunner() : undefined;
    if (shared?.isTransactionActive) return feed.managed(undefined, () => inside(shared.manager));
    return manager.transaction(inside);
  }

  private delegate(original: WriteMethod): WriteMethod {
    return (...args) => {
      this.delegating = true;
      try {
        return original(...args);
      } finally {
        this.delegating = false;
      }
    };
  }

  private metadataOf(target: unknown): EntityMetadata | undefined {
    const { dataSource } = this.options;
    const known = target as EntityTarget<ObjectLiteral>;
    return dataSource.hasMetadata(known) ? dataSource.getMetadata(known) : undefined;
  }
}
