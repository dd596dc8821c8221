import { reasonOf } from '../../errors/reason-of.js';
import type { AccountDirectory } from '../../pds/reading/account.directory.js';
import type { RepositoryReader } from '../../pds/reading/repository.reader.js';
import type { AccountStatus, RepositoryStore } from '../../pending/repository.store.js';
import type { AccountLife } from '../account-life.js';
import type { SourceEvent } from '../sources/record-source.js';

export interface AccountEventsConfig {
  readonly directory: AccountDirectory;
  readonly reader: RepositoryReader;
  readonly repositories: RepositoryStore;
  readonly life: AccountLife;
  readonly follows: (did: string) => Promise<boolean>;
  readonly log: { warn(message: string): void };
}

type AccountEvent = Exclude<SourceEvent, { kind: 'record' }>;

/** What sources tell of accounts. It is a hint only: the account's own PDS says what is true. */
export class AccountEvents {
  constructor(private readonly config: AccountEventsConfig) {}

  /** Does the same again where an event is told twice. */
  async take(event: AccountEvent): Promise<void> {
    const { repositories, follows, log } = this.config;
    if (event.kind === 'gap') {
      log.warn(`Events may be missing (${event.reason}); the accounts that are followed are imported again.`);
      return repositories.importDue('all');
    }
    if (!(await follows(event.did))) return;
    switch (event.kind) {
      case 'sync':
        return repositories.importDue([event.did]);
      case 'identity':
        return this.identity(event.did);
      default:
        return this.account(event.did, event.active ? 'active' : event.status);
    }
  }

  /** The account may have moved to another PDS, with other keys and another name. */
  private async identity(did: string): Promise<void> {
    const { directory, repositories } = this.config;
    const before = await repositories.find(did);
    try {
      const { pds, handle } = await directory.refresh(did);
      if (before?.pds === pds && before.handle === handle) return;
      await repositories.update(did, { pds, handle });
      if (before?.pds !== pds) await repositories.importDue([did]);
    } catch (error) {
      this.config.log.warn(`The identity of ${did} cannot be read now: ${reasonOf(error)}`);
      await repositories.importDue([did]);
    }
  }

  private async account(did: string, told: string | undefined): Promise<void> {
    const { life, repositories } = this.config;
    const status = await this.statusOf(did, told);
    if (status === 'active') {
      await life.active(did);
      await repositories.importDue([did]);
    } else if (status) await life.inactive(did, status);
  }

  /** A deletion that nothing confirms is not believed; the import, which is due then, looks again. */
  private async statusOf(
    did: string,
    told: string | undefined,
  ): Promise<Exclude<AccountStatus, 'rewound'> | null> {
    const { reader, repositories, log } = this.config;
    try {
      return (await reader.status(did)).status;
    } catch (error) {
      log.warn(`The state of ${did} cannot be read now: ${reasonOf(error)}`);
      await repositories.importDue([did]);
      return told === 'active' || told === 'deactivated' || told === 'suspended' || told === 'takendown'
        ? told
        : null;
    }
  }
}
