import { broken } from './broken.js';
import { listedRecords, type Listing } from './listed-records.js';
import type { CommitReading, Inactive, RepositoryReading, RepositoryRecord } from './reading.js';

/** A repository that its PDS gives in pages only. */
export class ListedRepository implements RepositoryReading {
  readonly status = 'active';
  readonly isWhole = false;
  readonly rev: string;
  readonly records: AsyncIterable<RepositoryRecord>;

  /** @param latestCommit is asked again behind the last page, because pages hide that an account is deactivated */
  constructor(
    listing: Listing,
    { rev }: CommitReading,
    latestCommit: () => Promise<CommitReading | Inactive>,
  ) {
    this.rev = rev;
    this.records = recordsOf(listing, rev, latestCommit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // There is nothing to give back.
  }
}

async function* recordsOf(
  listing: Listing,
  rev: string,
  latestCommit: () => Promise<CommitReading | Inactive>,
): AsyncGenerator<RepositoryRecord, void, undefined> {
  yield* listedRecords(listing);
  const after = await latestCommit();
  if (after.status !== 'active') {
    throw broken(listing.did, 'changed', `the account is ${after.status} by now`);
  }
  if (after.rev < rev) throw broken(listing.did, 'changed', `it went back from ${rev} to ${after.rev}`);
}
