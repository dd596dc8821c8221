import type { QueryRunner } from 'typeorm';
import type { ChangeFeed } from './change-feed.js';

interface QueryBuilder {
  update?: (...args: unknown[]) => UpdateBuilder;
}

interface UpdateBuilder {
  where: (criteria: unknown, ...rest: unknown[]) => unknown;
}

/**
 * Finds the rows of a relation that is saved from its other side (`user.posts = [post]` without cascade).
 * TypeORM's update events name no rows there, but the criteria of its update statements do.
 */
export class InverseUpdates {
  constructor(private readonly feed: ChangeFeed) {}

  /** To be called before the updates: from then on, the criteria of updates of this class are noted. */
  expect(target: unknown, runner: QueryRunner): void {
    const { updates } = this.feed.log(runner);
    if (!updates.has(target)) updates.set(target, []);
  }

  /** @returns the noted criteria, once */
  criteria(target: unknown, runner: QueryRunner): readonly object[] {
    return this.feed.log(runner).updates.get(target)?.splice(0) ?? [];
  }

  /** Notes the criteria of expected updates, of a query builder that an entity manager made. */
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
