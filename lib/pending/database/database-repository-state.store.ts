import type { DataSource, QueryRunner } from 'typeorm';
import { type RepositoryState, RepositoryStateStore } from '../../pds/repository-state.store.js';
import { LeaseLostError } from '../../errors/lease-lost.error.js';
import { stateValues, toState, type StateRow } from './lane-row.js';
import { LedgerAccess } from './ledger.access.js';
import { capabilitiesOf } from '../../database/capabilities.js';

/**
 * Remembers repositories together with their lanes, so that a request which a killed process left behind is
 * fenced by the next process.
 */
export class DatabaseRepositoryStateStore extends RepositoryStateStore {
  override readonly isLasting: boolean;
  private readonly access: LedgerAccess;

  constructor(
    private readonly dataSource: DataSource,
    own?: () => QueryRunner | undefined,
  ) {
    super();
    this.isLasting = !capabilitiesOf(dataSource).sharesConnection;
    this.access = new LedgerAccess(dataSource, own);
  }

  override on(own: () => QueryRunner | undefined): DatabaseRepositoryStateStore {
    return new DatabaseRepositoryStateStore(this.dataSource, own);
  }

  override async load(did: string): Promise<RepositoryState | null> {
    const [row] = await this.access.rows<StateRow>(this.access.sql.lanes.state, [did]);
    return row ? toState(row) : null;
  }

  override sending(did: string, state: RepositoryState, token?: number): Promise<void> {
    return this.save(did, state, token);
  }

  override settled(did: string, state: RepositoryState, token?: number): Promise<void> {
    return this.save(did, state, token);
  }

  private async save(did: string, state: RepositoryState, token: number | undefined): Promise<void> {
    const { saveState, saveOwnState } = this.access.sql.lanes;
    const values = stateValues(did, state);
    if (token === undefined) await this.access.query(saveState, values);
    else if ((await this.access.query(saveOwnState, [...values, token])).affected === 0)
      throw new LeaseLostError(did);
  }
}
