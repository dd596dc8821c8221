/**
 * How many accounts have a version of their own. All older ones share the highest version that was dropped.
 */
const ACCOUNTS = 10_000;

/**
 * A version per account, raised when work on the account ends in this process. While it stays the same, this
 * process writes no record column of the account's rows, so what was read of them is still true.
 */
export class SettledVersions {
  /** By DID, in the order of the versions. */
  private readonly versions = new Map<string, number>();
  private latest = 0;
  private dropped = 0;

  /** The version of the account that was worked on last. */
  get now(): number {
    return this.latest;
  }

  of(did: string): number {
    return this.versions.get(did) ?? this.dropped;
  }

  raise(did: string): void {
    this.latest += 1;
    this.versions.delete(did);
    this.versions.set(did, this.latest);
    if (this.versions.size <= ACCOUNTS) return;
    const [oldest] = this.versions;
    if (!oldest) return;
    this.versions.delete(oldest[0]);
    this.dropped = oldest[1];
  }
}
