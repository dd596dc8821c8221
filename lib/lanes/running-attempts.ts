/** The attempts of this process. */
export class RunningAttempts {
  private readonly running = new Map<string, number>();
  private ended = 0;

  /** How many have ended. */
  get endedCount(): number {
    return this.ended;
  }

  isRunning(did: string): boolean {
    return this.running.has(did);
  }

  /**
   * One attempt of an account may begin while the one before, which has given the lane back as it settled, is
   * about to end.
   */
  async track<T>(did: string, attempt: () => Promise<T>): Promise<T> {
    this.running.set(did, this.countOf(did) + 1);
    try {
      return await attempt();
    } finally {
      const left = this.countOf(did) - 1;
      if (left > 0) this.running.set(did, left);
      else this.running.delete(did);
      this.ended += 1;
    }
  }

  private countOf(did: string): number {
    return this.running.get(did) ?? 0;
  }
}
