import { TID } from '@atproto/common-web';
import type { DataSource } from 'typeorm';
import { onCommittedData } from '../database/committed-data.js';
import { runTogether } from '../database/sql-script.js';
import { writeRows } from '../entities/row-write.js';
import type { SyncedEntities } from '../entities/synced-entities.js';
import { AccountStatusChanged } from '../events/account-status-changed.event.js';
import type { ParityEvents } from '../events/parity-events.js';
import type { Evidence } from '../model/evidence.js';
import type { InboundLedger, KnownAddress } from '../pending/inbound.ledger.js';
import type { LaneStore } from '../pending/lane.store.js';
import { ACCOUNT_INACTIVE } from '../pending/pending-entry.js';
import type { AccountStatus, RepositoryStore } from '../pending/repository.store.js';
import type { SessionProvider } from '../sessions/session-provider.js';
import type { Admission } from './admission.js';

export interface AccountLifeConfig {
  readonly dataSource: DataSource;
  readonly entities: SyncedEntities;
  readonly admission: Admission;
  readonly ledger: Pick<InboundLedger, 'addresses'>;
  readonly repositories: RepositoryStore;
  readonly lanes: Pick<LaneStore, 'lane' | 'park' | 'voidPark' | 'wake'>;
  readonly sessions: SessionProvider;
  readonly events: ParityEvents;
  readonly notify: () => void;
}

const PAGE = 500;

/** What becomes of rows and lanes when accounts are deactivated, deleted, or active again. */
export class AccountLife {
  constructor(private readonly config: AccountLifeConfig) {}

  /**
   * The account is active. One that was not gets its rows shown, its lane freed without a sign-in, and its
   * records imported.
   */
  async active(did: string): Promise<void> {
    const { repositories, lanes, notify } = this.config;
    const known = await repositories.find(did);
    if (!known || known.status === 'active') return;
    await this.hide(did, null);
    const { park } = await lanes.lane(did);
    if (park?.code === ACCOUNT_INACTIVE) {
      await lanes.voidPark(did);
      await lanes.wake(did);
      notify();
    }
    await this.changed(did, 'active');
    await repositories.importDue([did]);
  }

  /**
   * The account gives nothing of its repository now. Its rows are hidden (`@AtpHiddenAt()`), and its lane
   * waits; a deleted account loses its rows, as `whenRecordDeleted` says.
   */
  async inactive(did: string, status: Exclude<AccountStatus, 'active' | 'rewound'>): Promise<void> {
    const { repositories, lanes, sessions } = this.config;
    const known = await repositories.find(did);
    if (known?.status === status) return;
    if (known?.isOurs) {
      const sessionId = (await sessions.sessionId?.(did).catch(() => null)) ?? null;
      await lanes.park(did, { reason: `the account is ${status}`, sessionId, code: ACCOUNT_INACTIVE });
    }
    if (status === 'deleted') await this.remove(did);
    else await this.hide(did, new Date());
    await this.changed(did, status);
  }

  /** The repository went back to an earlier revision, so nothing that it tells is taken over. */
  async rewound(did: string): Promise<void> {
    await this.changed(did, 'rewound');
  }

  private async changed(did: string, status: AccountStatus): Promise<void> {
    const { repositories, events } = this.config;
    const before = (await repositories.find(did))?.status ?? 'active';
    if (before === status) return;
    await repositories.update(did, { status });
    events.emit(new AccountStatusChanged(did, status, before));
  }

  private async remove(did: string): Promise<void> {
    const rev = TID.nextStr();
    for await (const page of this.pages(did)) {
      const gone = page
        .filter(({ cid }) => cid !== null)
        .map(({ address: { collection, rkey } }): Evidence => {
          return { did, collection, rkey, rev, cid: null, source: 'audit', live: true };
        });
      if (gone.length > 0) await this.config.admission.admit(gone);
    }
  }

  /** @param hiddenAt null to show the rows again */
  private async hide(did: string, hiddenAt: Date | null): Promise<void> {
    const { dataSource, entities } = this.config;
    for await (const page of this.pages(did)) {
      for (const [name, group] of Map.groupBy(page, ({ entityName }) => entityName)) {
        const entity = entities.stored(name);
        const ids = group.map(({ entityId }) => entityId).filter((id) => id !== '');
        if (!entity?.columns.hiddenAt || ids.length === 0) continue;
        const writes = ids.map((id) => ({ id, set: { hiddenAt }, was: {} }));
        await onCommittedData(dataSource, undefined, (runner) =>
          runTogether(writeRows(entity, writes), runner),
        );
      }
    }
  }

  private async *pages(did: string): AsyncGenerator<readonly KnownAddress[]> {
    const { entities, ledger } = this.config;
    const collections = new Set(entities.all().flatMap(({ mapper }) => mapper?.collection ?? []));
    for (const collection of collections) {
      let after = '';
      let page: readonly KnownAddress[];
      do {
        page = await ledger.addresses(did, collection, { after, limit: PAGE });
        if (page.length > 0) yield page;
        after = page.at(-1)?.address.rkey ?? after;
      } while (page.length === PAGE);
    }
  }
}
