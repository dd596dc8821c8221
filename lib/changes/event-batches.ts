import type { QueryRunner } from 'typeorm';

/**
 * Collects the events of one TypeORM call, so that their questions to the database are asked together.
 * TypeORM raises these events without waiting in between, and a connection takes one query at a time.
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
