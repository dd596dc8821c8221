import type { OpenOptions, SourceEvent } from '../record-source.js';

/** Which events were asked for. */
export class Wanted {
  private readonly accounts: ReadonlySet<string> | null;
  private readonly collections: ReadonlySet<string>;

  constructor({ accounts, collections }: Pick<OpenOptions, 'accounts' | 'collections'>) {
    this.accounts = accounts === null ? null : new Set(accounts);
    this.collections = new Set(collections);
  }

  account(did: string): boolean {
    return this.accounts === null || this.accounts.has(did);
  }

  collection(nsid: string): boolean {
    return this.collections.has(nsid);
  }

  event(event: SourceEvent): boolean {
    if (event.kind === 'gap') return true;
    return this.account(event.did) && (event.kind !== 'record' || this.collection(event.collection));
  }
}
