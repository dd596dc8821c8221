import type { DataSource, EntityManager, EntityMetadata, EntityTarget, ObjectLiteral } from 'typeorm';
import type { BulkWritePolicy } from './bulk-write.policy.js';
import type { ChangeFeed } from './change-feed.js';
import { during } from './call-context.js';
import type { CriteriaWrites, WriteMethod } from './criteria-writes.js';
import type { MarkedClasses } from './marked-classes.js';

const COMMITS = ['save', 'remove', 'softRemove', 'recover', 'transaction'];
const DELEGATES = ['increment', 'decrement'];
const STATEMENTS = ['insert', 'upsert', 'update', 'delete', 'softDelete', 'restore', ...DELEGATES];
const WHOLE_TABLE = ['updateAll', 'deleteAll', 'clear'];
/** The methods of a manager that write. */
export const WRITES: readonly string[] = [...COMMITS, ...STATEMENTS, ...WHOLE_TABLE];

/** What runs in place of a writing method, on managers of a followed DataSource. */
type Write = (manager: EntityManager, original: WriteMethod, args: unknown[]) => Promise<unknown>;

export interface ManagedWritesOptions {
  readonly dataSource: DataSource;
  readonly rows: MarkedClasses;
  readonly feed: ChangeFeed;
  readonly bulk: BulkWritePolicy;
  readonly capture: CriteriaWrites;
}

/**
 * Wraps the writing methods of entity managers, for two things that subscribers cannot do:
 * - sync after the connection is given back. A commit hook still holds it, and an error in the hook makes
 *   TypeORM roll back.
 * - find the rows of a write by criteria.
 */
export class ManagedWrites {
  /** By name of the method. */
  readonly methods: ReadonlyMap<string, Write>;
  /** True while `increment()` calls `update()`, whose rows are already being looked up. */
  private delegating = false;

  constructor(private readonly options: ManagedWritesOptions) {
    this.methods = new Map(WRITES.map((name) => [name, this.wrapper(name)] as const));
  }

  private wrapper(name: string): Write {
    const { feed, bulk, rows } = this.options;
    if (COMMITS.includes(name)) {
      return ({ queryRunner }, original, args) => {
        if (name !== 'transaction' && !this.concerns(args[0])) return original(...args);
        const known = { isAlone: name === 'save' && this.isAlone(args), isUnreloaded: isUnreloaded(args) };
        const write = (): Promise<unknown> => original(...inTransaction(args));
        // Inside a transaction, the call that commits it waits for the sync.
        return queryRunner?.isTransactionActive
          ? during(known, write)
          : feed.managed(queryRunner, write, known);
      };
    }
    if (STATEMENTS.includes(name))
      return (manager, original, args) => this.statement(name, manager, original, args);
    return async (_manager, original, args) => {
      const metadata = this.metadataOf(args[0]);
      const [entity] = metadata ? rows.classes(metadata) : [];
      if (!entity) return original(...args);
      bulk.met(entity.name, `${name}()`);
      return during({ captured: { target: metadata?.target, values: [] } }, () => original(...args));
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
    // On SQLite the write joins another caller's transaction, as it would without the module. A savepoint in
    // that transaction would be the only thing that the other caller's rollback undoes.
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

  /**
   * Whether the write may concern marked entities. Lists of entities are not examined, and always may.
   *
   * @param subject the class or, where none is given, the entity that is saved or removed
   */
  private concerns(subject: unknown): boolean {
    const isEntity = typeof subject === 'object' && subject !== null && !Array.isArray(subject);
    const metadata = this.metadataOf(isEntity ? subject.constructor : subject);
    return !metadata || this.options.rows.reaches(metadata);
  }

  /** @param args of `save()` */
  private isAlone([target, subject]: readonly unknown[]): boolean {
    const isClassGiven = typeof target !== 'object';
    const saved = isClassGiven ? subject : target;
    const isAlone = (one: unknown): boolean => {
      const metadata = this.metadataOf(isClassGiven ? target : one?.constructor);
      return metadata !== undefined && this.options.rows.isAlone(metadata);
    };
    return Array.isArray(saved) ? saved.every(isAlone) : isAlone(saved);
  }

  private metadataOf(target: unknown): EntityMetadata | undefined {
    const { dataSource } = this.options;
    const known = target as EntityTarget<ObjectLiteral>;
    return dataSource.hasMetadata(known) ? dataSource.getMetadata(known) : undefined;
  }
}

/** The position of the options: `save(target, entity, options)`, or `save(entity, options)`. */
const placeOfOptions = ([first]: readonly unknown[]): 1 | 2 => (typeof first === 'object' ? 1 : 2);

function isUnreloaded(args: readonly unknown[]): boolean {
  const options = args[placeOfOptions(args)];
  return (options as { reload?: unknown } | undefined)?.reload === false;
}

/**
 * Overrides `transaction: false`, so that the rows and what is captured of them are committed together or not
 * at all.
 */
function inTransaction(args: readonly unknown[]): readonly unknown[] {
  const place = placeOfOptions(args);
  const options = args[place] as { transaction?: unknown } | undefined;
  return options?.transaction === false ? args.with(place, { ...options, transaction: true }) : args;
}
