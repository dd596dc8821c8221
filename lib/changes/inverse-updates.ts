import type { QueryRunner } from 'typeorm';
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

  /** A query builder that an entity manager made: notes what is expected. */
  observe(builder: object, runner: QueryRunner | undefined): void {
    if (!runner || this.feed.log(runner).updates.size === 0) return;
    const changing = builder as QueryBuilder;
    const original = changing.update?.bind(builder);
    if (!original) return;
    changing.update = (target, ...args) => {
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
