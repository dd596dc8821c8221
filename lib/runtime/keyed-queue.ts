/**
 * Runs tasks of one key one after the other, in the order of their calls. Tasks of different keys don't wait
 * for each other.
 */
export class KeyedQueue {
  private readonly tails = new Map<string, Promise<unknown>>();

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.tails.get(key) ?? Promise.resolve();
    const result = before.then(task);
    const tail = result.then(forget, forget);
    this.tails.set(key, tail);
    try {
      return await result;
    } finally {
      if (this.tails.get(key) === tail) this.tails.delete(key);
    }
  }

  /** How many keys have a task that runs or waits. */
  get size(): number {
    return this.tails.size;
  }

  /** Whether a task of this key runs or waits. */
  isBusy(key: string): boolean {
    return this.tails.has(key);
  }

  /** Resolves when the tasks that run or wait now have ended. */
  async idle(): Promise<void> {
    await Promise.all(this.tails.values());
  }
}

const forget = (): void => undefined;
