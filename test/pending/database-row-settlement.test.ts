import { DatabasePendingSyncStore } from '../../lib/pending/database/database-pending-sync.store.js';
import { DatabaseRepositoryStateStore } from '../../lib/pending/database/database-repository-state.store.js';
import type { Lease } from '../../lib/pending/pending-entry.js';
import { until } from '../support/until.js';
import { describeDatabase } from '../support/databases.js';
import { leaseOf, aChange, ALICE, Ledger, uriOf } from './database-fixtures.js';

const LONG = 60_000;
const STATE = { head: 'bafyhead', inFlight: null, unsettled: {}, spentPoints: [] };

/** An update of a row of the application, as `rowUpdate` makes it. */
const ROW = {
  text: 'UPDATE shelf SET cid = $1 WHERE (id) IN (SELECT id FROM shelf WHERE id = $2 AND cid IS NULL FOR NO KEY UPDATE SKIP LOCKED)',
  parameters: ['bafy', 1],
};

describeDatabase('postgres')('a row, its ledger entry and its lane in one statement (postgres)', () => {
  let ledger: Ledger;
  let store: DatabasePendingSyncStore;

  beforeAll(async () => {
    ledger = await Ledger.open('postgres', { poolSize: 8 });
    store = ledger.store;
    await ledger.dataSource.query('CREATE TABLE shelf (id int PRIMARY KEY, cid text)');
  });
  beforeEach(async () => {
    await ledger.clear();
    await ledger.dataSource.query('DELETE FROM shelf');
    await ledger.dataSource.query('INSERT INTO shelf (id) VALUES (1)');
    await store.capture([aChange('a')]);
  });
  afterAll(() => ledger?.database.cleanup());

  const query = (sql: string): Promise<Record<string, unknown>[]> => ledger.dataSource.query(sql);
  const lease = async (milliseconds = LONG): Promise<Lease> => {
    const held = await leaseOf(store, ALICE, milliseconds);
    if (!held) throw new Error('the lane is not free');
    return held;
  };
  const settle = async (held: Lease, { version = 1, isLast = true } = {}) =>
    store.settleRow(held, ROW, { done: [{ uri: uriOf('a'), version, cid: 'bafy' }], state: STATE, isLast });
  /** What all of it comes to; nothing of it: the row and the lane are as they were, and `a` is due. */
  const seen = async () => {
    const [row] = await query('SELECT cid FROM shelf');
    const [lane] = await query('SELECT leased FROM parity_lane');
    const head = (await new DatabaseRepositoryStateStore(ledger.dataSource).load(ALICE))?.head ?? null;
    return { cid: row?.['cid'], leased: lane?.['leased'], head, due: await ledger.due() };
  };
  const NOTHING = { cid: null, leased: true, head: null, due: ['a'] };

  it('writes and settles, and gives the lane back where that is asked for', async () => {
    expect(await settle(await lease())).toBe(true);
    expect(await seen()).toEqual({ cid: 'bafy', leased: false, head: 'bafyhead', due: [] });
  });

  it('keeps the lane otherwise', async () => {
    expect(await settle(await lease(), { isLast: false })).toBe(true);
    expect(await seen()).toEqual({ cid: 'bafy', leased: true, head: 'bafyhead', due: [] });
  });

  it('does nothing once another worker has the lane', async () => {
    const lost = await lease(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await lease();
    expect(await settle(lost)).toBe(false);
    expect(await seen()).toEqual(NOTHING);
  });

  it('does nothing if the row is not as the update expects it, or gone', async () => {
    const held = await lease();
    await query("UPDATE shelf SET cid = 'another'");
    expect(await settle(held)).toBe(false);
    expect(await seen()).toEqual({ ...NOTHING, cid: 'another' });
    await query('DELETE FROM shelf');
    expect(await settle(held)).toBe(false);
    expect(await seen()).toEqual({ ...NOTHING, cid: undefined });
  });

  it('does nothing, and does not wait, while a transaction of the application holds the row', async () => {
    const held = await lease();
    await ledger.dataSource.transaction(async (manager) => {
      await manager.query('SELECT 1 FROM shelf FOR UPDATE');
      expect(await settle(held)).toBe(false);
    });
    expect(await seen()).toEqual(NOTHING);
    expect(await settle(held)).toBe(true);
  });

  it('does nothing if the database refuses the update', async () => {
    const held = await lease();
    await query("ALTER TABLE shelf ADD CONSTRAINT nothing CHECK (cid <> 'bafy')");
    expect(await settle(held)).toBe(false);
    await query('ALTER TABLE shelf DROP CONSTRAINT nothing');
    expect(await seen()).toEqual(NOTHING);
  });

  it('settles no version that was captured since it was read', async () => {
    const held = await lease();
    await store.capture([aChange('a')]);
    expect(await settle(held)).toBe(true);
    expect(await seen()).toEqual({ cid: 'bafy', leased: false, head: 'bafyhead', due: ['a'] });
  });

  it('leaves an entry to the transaction that is capturing it again', async () => {
    const held = await lease();
    await ledger.dataSource.transaction(async ({ queryRunner }) => {
      await store.capture([aChange('a')], queryRunner);
      expect(await settle(held)).toBe(true);
    });
    expect(await seen()).toEqual({ cid: 'bafy', leased: false, head: 'bafyhead', due: ['a'] });
  });

  it('loses no wake that came while the lane was leased, nor one that it waits for', async () => {
    const held = await lease();
    await store.capture([aChange('b')]);
    let settled: Promise<boolean> | undefined;
    await ledger.dataSource.transaction(async (manager) => {
      await manager.query('UPDATE parity_lane SET wakes = wakes + 1');
      settled = settle(held);
      await until(async () => (await query(WAITING)).length > 0);
    });
    expect(await settled).toBe(true);
    expect(await store.readyLanes(10)).toEqual([ALICE]);
  });

  it('gives no settled entry to a worker that was waiting for the lane', async () => {
    const held = await lease();
    let entered: ReturnType<typeof store.enter> | undefined;
    await ledger.dataSource.transaction(async (manager) => {
      // The settlement, as far as another worker sees it: it holds the lane, and then both are free.
      await manager.query('UPDATE parity_lane SET leased = FALSE, ready_at = NULL');
      entered = store.enter(ALICE, [uriOf('a')], { milliseconds: LONG });
      await until(async () => (await query(WAITING)).length > 0);
      await manager.query('UPDATE parity_ledger SET pending_since = NULL');
    });
    const { lease: next, entries } = (await entered)!;
    expect(next?.token).toBe(held.token + 1);
    expect(entries).toEqual([]);
  });
});

/** Statements that wait for a lock. */
const WAITING =
  "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
