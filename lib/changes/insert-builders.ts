import type { DataSource, EntityMetadata, InsertQueryBuilder, ObjectLiteral, QueryRunner } from 'typeorm';
import type { BulkWritePolicy } from './bulk-write.policy.js';
import type { ChangeFeed } from './change-feed.js';
import type { MarkedClasses } from './marked-classes.js';

type CreateQueryBuilder = DataSource['createQueryBuilder'];

interface InsertBuilder {
  queryRunner?: QueryRunner | undefined;
  readonly expressionMap: {
    readonly mainAlias?: { readonly hasMetadata: boolean; readonly metadata: EntityMetadata };
    readonly insertFromSelect?: unknown;
  };
  useTransaction(enabled: boolean): unknown;
  execute(): Promise<unknown>;
}

/** Gives inserts by query builder a transaction if they have none, so that their rows are captured in it. */
export class InsertBuilders {
  constructor(
    private readonly feed: ChangeFeed,
    private readonly rows: MarkedClasses,
    private readonly bulk: BulkWritePolicy,
  ) {}

  /** Wraps `createQueryBuilder` of a DataSource, which its managers and repositories call as well. */
  watched(create: CreateQueryBuilder): CreateQueryBuilder {
    return (...args: unknown[]) => {
      const builder = (create as (...given: unknown[]) => ReturnType<CreateQueryBuilder>)(...args);
      // TypeORM itself makes a builder for each row that it saves; those already have a transaction.
      if (isInTransaction(builder)) return builder;
      const insert = builder.insert.bind(builder);
      builder.insert = () => this.watchedInsert(insert());
      return builder;
    };
  }

  private watchedInsert<E extends ObjectLiteral>(insert: InsertQueryBuilder<E>): InsertQueryBuilder<E> {
    const builder = insert as unknown as InsertBuilder;
    const execute = builder.execute.bind(builder);
    builder.execute = () => {
      const { mainAlias, insertFromSelect } = builder.expressionMap;
      const [entity] = mainAlias?.hasMetadata ? this.rows.classes(mainAlias.metadata) : [];
      if (!entity) return execute();
      if (insertFromSelect) this.bulk.met(entity.name, 'An insert from a select by query builder');
      if (isInTransaction(builder)) return execute();
      builder.useTransaction(true);
      return this.feed.managed(builder.queryRunner, execute);
    };
    return insert;
  }
}

const isInTransaction = (builder: object): boolean =>
  (builder as InsertBuilder).queryRunner?.isTransactionActive === true;
