import { LeaseLostError } from '../../lib/errors/lease-lost.error.js';
import { InMemoryRepositoryStateStore } from '../../lib/pds/in-memory-repository-state.store.js';
import { UNKNOWN_REPOSITORY, type RepositoryState } from '../../lib/pds/repository-state.store.js';
import { DatabasePendingSyncStore } from '../../lib/pending/database/database-pending-sync.store.js';
import { DatabaseRepositoryStateStore } from '../../lib/pending/database/database-repository-state.store.js';
import { LeasedState } from '../../lib/lanes/leased-state.store.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { leaseOf, ALICE, Ledger } from '../pending/database-fixtures.js';

const at = (head: string): RepositoryState => ({ ...UNKNOWN_REPOSITORY, head });

class Counting extends InMemoryRepositoryStateStore {
  loads = 0;
  fails = false;

  override load(did: string): Promise<RepositoryState | null> {
    this.loads += 1;
    return super.load(did);
  }
  override async sending(did: string, state: RepositoryState): Promise<void> {
    await super.sending(did, state);
    if (this.fails) throw new Error('the connection broke');
  }
}

describe('the state of a repository whose lane is leased', () => {
  it('is loaded once, whatever the number of writes', async () => {
    const store = new Counting();
    const state = new LeasedState(store, 1);
    expect(await state.load(ALICE)).toBeNull();
    expect(await state.load(ALICE)).toBeNull();
    await state.sending(ALICE, at('one'));
    expect(await state.load(ALICE)).toEqual(at('one'));
    state.keeps(at('two'));
    expect(await state.load(ALICE)).toEqual(at('two'));
    expect(store.loads).toBe(1);
  });

  it('is loaded again if it is not known whether it was stored', async () => {
    const store = new Counting();
    const state = new LeasedState(store, 1);
    await state.load(ALICE);
    store.fails = true;
    await expect(state.sending(ALICE, at('one'))).rejects.toThrow('broke');
    expect(await state.load(ALICE)).toEqual(at('one'));
    expect(store.loads).toBe(2);
  });
});

for (const kind of databaseKinds) {
  describeDatabase(kind)(`the state of a repository whose lane is leased (${kind})`, () => {
    let ledger: Ledger;
    let store: DatabaseRepositoryStateStore;

    beforeAll(async () => {
      ledger = await Ledger.open(kind);
      store = new DatabaseRepositoryStateStore(ledger.dataSource);
    });
    beforeEach(() => ledger.clear());
    afterAll(() => ledger?.database.cleanup());

    const lease = async (milliseconds: number): Promise<number> => {
      const pending = new DatabasePendingSyncStore({ dataSource: ledger.dataSource, ttl: null });
      const held = await leaseOf(pending, ALICE, milliseconds);
      if (!held) throw new Error('the lane is not free');
      return held.token;
    };

    it('cannot be changed by a worker that has lost the lane', async () => {
      const former = new LeasedState(store, await lease(1));
      await former.sending(ALICE, at('former'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      const holder = new LeasedState(store, await lease(60_000));
      await holder.sending(ALICE, at('holder'));
      await expect(former.sending(ALICE, at('late'))).rejects.toThrow(LeaseLostError);
      await expect(former.settled(ALICE, at('late'))).rejects.toThrow(LeaseLostError);
      expect(await store.load(ALICE)).toEqual(at('holder'));
    });

    it('is known without loading only where no other caller can roll it back', async () => {
      const state = new LeasedState(store, await lease(60_000));
      await state.sending(ALICE, at('one'));
      await store.sending(ALICE, at('rolled back to'));
      expect(await state.load(ALICE)).toEqual(at(kind === 'sqlite' ? 'rolled back to' : 'one'));
    });
  });
}
