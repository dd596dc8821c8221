/**
 * One worker per DID in this process: a repository takes one commit at a time, and what is decided later sees
 * what was settled before.
 */
export class LaneQueue {
  private readonly tails = new Map<string, Promise<unknown>>();

  /** Pieces of work that have ended. */
  endedCount = 0;

  private readonly watches = new Set<Set<string>>();

  /**
   * Collects the DIDs whose work ends from now on: what was read of them may be older than what was settled.
   */
  watch(): { readonly ended: ReadonlySet<string>; stop(): void } {
    const ended = new Set<string>();
    this.watches.add(ended);
    return { ended, stop: () => void this.watches.delete(ended) };
  }

  /** DIDs that are worked on. */
  get size(): number {
    return this.tails.size;
  }

  isBusy(did: string): boolean {
    return this.tails.has(did);
  }

  run<T>(did: string, work: () => Promise<T>): Promise<T> {
    const result = (this.tails.get(did) ?? Promise.resolve()).then(work);
    const tail = result.then(forget, forget).finally(() => {
      if (this.tails.get(did) === tail) this.tails.delete(did);
      this.endedCount += 1;
      for (const ended of this.watches) ended.add(did);
    });
    this.tails.set(did, tail);
    return result;
  }

  /** Resolves when what is under way now has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.tails.values());
  }
}

const forget = (): void => undefined;
