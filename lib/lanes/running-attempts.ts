import type { SettledVersions } from '../sync/settled-versions.js';

/** The attempts of this process. */
export class RunningAttempts {
  /** By DID, how many: one may begin while the one before, which gave the lane back as it settled, ends. */
  private readonly running = new Map<string, number>();

  constructor(private readonly versions: SettledVersions) {}

  isRunning(did: string): boolean {
    return this.running.has(did);
  }

  async track<T>(did: string, attempt: () => Promise<T>): Promise<T> {
    this.running.set(did, this.countOf(did) + 1);
    try {
      return await attempt();
    } finally {
      const left = this.countOf(did) - 1;
      if (left > 0) this.running.set(did, left);
      else this.running.delete(did);
      this.versions.raise(did);
    }
  }

  private countOf(did: string): number {
    return this.running.get(did) ?? 0;
  }
}
