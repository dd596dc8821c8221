import type { RepositoryStore } from '../pending/repository.store.js';
import type { SessionProvider } from '../sessions/session-provider.js';
import type { FollowedAccounts } from './inbound-options.js';

/** How long a process takes the accounts for all that are ours, in ms. Others may sign in elsewhere. */
const FRESH = 5_000;

export interface AccountFilterConfig {
  readonly accounts: FollowedAccounts;
  readonly repositories: RepositoryStore;
  readonly sessions: SessionProvider;
}

/** Knows whose records are followed, and which accounts are ours. */
export class AccountFilter {
  private ours: ReadonlySet<string> = new Set();
  private readAt = -Infinity;
  private reading: Promise<string[]> | undefined;

  /** Called when the accounts that are followed may be others. */
  onChanged: (() => void) | undefined;

  constructor(private readonly config: AccountFilterConfig) {}

  /** Whether what a source tells of an account is of interest. */
  async follows(did: string): Promise<boolean> {
    const { accounts } = this.config;
    if (accounts === 'network') return true;
    if (typeof accounts === 'function') return accounts(did);
    if (accounts !== 'ours') return accounts.includes(did);
    if (this.ours.has(did)) return true;
    await this.refresh();
    return this.ours.has(did);
  }

  /** The same where a caller names the account: one with a session is ours, although nobody has told so yet. */
  async followsNamed(did: string): Promise<boolean> {
    if (await this.follows(did)) return true;
    if (this.config.accounts !== 'ours' || !(await this.hasSession(did))) return false;
    await this.config.repositories.signedIn(did, { importDue: false });
    this.changed();
    return true;
  }

  /** The DIDs that are followed; null where they cannot be listed. */
  async list(): Promise<readonly string[] | null> {
    const { accounts } = this.config;
    if (accounts === 'network' || typeof accounts === 'function') return null;
    if (accounts !== 'ours') return accounts;
    await this.refresh();
    return [...this.ours];
  }

  /** Looks again at the next question: an account has signed in. */
  changed(): void {
    this.readAt = -Infinity;
    // What is being read may be from before.
    this.reading = undefined;
    this.onChanged?.();
  }

  private async refresh(): Promise<void> {
    if (performance.now() - this.readAt < FRESH) return;
    const reading = (this.reading ??= this.config.repositories.ours());
    const at = performance.now();
    try {
      const ours = await reading;
      if (this.reading !== reading) return;
      this.ours = new Set(ours);
      this.readAt = at;
    } finally {
      if (this.reading === reading) this.reading = undefined;
    }
  }

  private async hasSession(did: string): Promise<boolean> {
    return this.config.sessions.agentFor(did).then(
      () => true,
      () => false,
    );
  }
}
