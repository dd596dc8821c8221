import type { EntityManager, QueryRunner } from 'typeorm';
import type { ChangeFeed } from './change-feed.js';

interface QueryBuilder {
  update?: (...args: unknown[]) => UpdateBuilder;
}

interface UpdateBuilder {
  where: (criteria: unknown, ...rest: unknown[]) => unknown;
}

/**
 * Finds the rows of a relation that is saved from its other side (`user.posts = [post]` without cascade), for which TypeORM's
 * update events name none: the criteria of its updates do.
 */
export class InverseUpdates {
  constructor(private readonly feed: ChangeFeed) {}

  /** Before the updates: from now on those of this class are noted. */
  expect(target: unknown, runner: QueryRunner): void {
    const { updates } = this.feed.log(runner);
    if (!updates.has(target)) updates.set(target, []);
  }

  /** After the updates. */
  criteria(target: unknown, runner: QueryRunner): readonly object[] {
    return this.feed.log(runner).updates.get(target)?.splice(0) ?? [];
  }

  /** `createQueryBuilder` of an entity manager, which notes what is expected. */
  observed(
    createQueryBuilder: (...args: never[]) => unknown,
  ): (this: EntityManager, ...args: never[]) => unknown {
    const note = (builder: QueryBuilder, runner: QueryRunner | undefined): QueryBuilder => {
      if (runner && this.feed.log(runner).updates.size > 0) this.note(builder, runner);
      return builder;
    };
    return function (...args) {
      return note(createQueryBuilder.apply(this, args) as QueryBuilder, this.queryRunner);
    };
  }

  private note(builder: QueryBuilder, runner: QueryRunner): void {
    const original = builder.update?.bind(builder);
    if (!original) return;
    builder.update = (target, ...args) => {
      const update = original(target, ...args);
      const noted = this.feed.log(runner).updates.get(target);
      const where = update.where.bind(update);
      update.where = (criteria, ...rest) => {
        if (typeof criteria === 'object' && criteria !== null) noted?.push(criteria);
        return where(criteria, ...rest);
      };
      return update;
    };
  }
}
