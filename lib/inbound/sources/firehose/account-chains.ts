import { Recent } from '../../../runtime/recent.js';

/** Where a repository is after a commit. */
export interface RepositoryPoint {
  readonly rev: string;
  /** The CID of the tree's root; null where the commit was not readable. */
  readonly data: string | null;
}

export interface CommitLink {
  readonly rev: string;
  /** The revision before; undefined where the service does not say. */
  readonly since: string | null | undefined;
  /** The root of the tree before; undefined where the service does not say. */
  readonly prevData: string | undefined;
  readonly data: string | null;
}

/** The last commits of the accounts that were heard of lately, to notice one that was not told. */
export class AccountChains {
  private readonly points = new Recent<string, RepositoryPoint | null>(100_000);

  /** @returns whether commits of the account are missing before this one */
  follow(did: string, { rev, since, prevData, data }: CommitLink): boolean {
    const before = this.points.get(did) ?? null;
    // Told again after a reconnection, or a repository that went back: no statement of what is missing.
    if (before !== null && rev <= before.rev) return false;
    this.points.set(did, { rev, data });
    if (before === null || since === undefined) return false;
    if (since !== before.rev) return true;
    return prevData !== undefined && before.data !== null && prevData !== before.data;
  }

  /** The account goes on from here, whatever was before. */
  restart(did: string, point: RepositoryPoint | null): void {
    this.points.set(did, point);
  }
}
