import type { QueryRunner } from 'typeorm';

/**
 * TypeORM raises the events of one call together, without waiting between them, while a connection takes one query at a time:
 * what they have to ask the database is asked together.
 */
export class EventBatches<T> {
  private readonly waiting = new WeakMap<QueryRunner, { items: T[]; done: Promise<void> }>();

  constructor(private readonly flush: (items: readonly T[], runner: QueryRunner) => Promise<void>) {}

  add(item: T, runner: QueryRunner): Promise<void> {
    let batch = this.waiting.get(runner);
    if (!batch) {
      const items: T[] = [];
      const done = Promise.resolve().then(() => {
        this.waiting.delete(runner);
        return this.flush(items, runner);
      });
      this.waiting.set(runner, (batch = { items, done }));
    }
    batch.items.push(item);
    return batch.done;
  }
}
