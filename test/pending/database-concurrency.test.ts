import { setTimeout as wait } from 'node:timers/promises';
import { LeaseLostError } from '../../lib/errors/lease-lost.error.js';
import { DatabasePendingSyncStore } from '../../lib/pending/database/database-pending-sync.store.js';
import { DatabaseRepositoryStateStore } from '../../lib/pending/database/database-repository-state.store.js';
import { DeadLetters } from '../../lib/pending/database/dead-letters.js';
import { LedgerAccess } from '../../lib/pending/database/ledger.access.js';
import type { Lease } from '../../lib/pending/pending-entry.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { leaseOf, aChange, ALICE, BOB, Ledger, uriOf } from './database-fixtures.js';

const LONG = 60_000;

for (const kind of databaseKinds) {
  describeDatabase(kind)(`the database store under load (${kind})`, () => {
    let ledger: Ledger;
    let store: DatabasePendingSyncStore;

    /** SQLite takes one transaction at a time from its callers. */
    const capture = async (rkeys: readonly string[], hold = 0): Promise<void> => {
      const changes = rkeys.map((rkey) => aChange(rkey));
      if (kind === 'sqlite') return void (await store.capture(changes));
      await ledger.dataSource.transaction(async ({ queryRunner }) => {
        await store.capture(changes, queryRunner);
        await wait(hold);
      });
    };

    beforeAll(async () => {
      ledger = await Ledger.open(kind, { poolSize: 8 });
      ({ store } = ledger);
    });
    beforeEach(() => ledger.clear());
    afterAll(() => ledger?.database.cleanup());

    it('captures the same addresses in many transactions at once, in any order, without a deadlock', async () => {
      const rkeys = Array.from({ length: 40 }, (_, index) => `r${index}`);
      for (let round = 0; round < 5; round++) {
        await Promise.all(
          Array.from({ length: 8 }, (_, worker) =>
            capture(rkeys.toSorted(() => Math.random() - 0.5).slice(worker), 1),
          ),
        );
      }
      expect((await ledger.entry('r0')).version).toBeGreaterThan(1);
    });

    it('captures and settles at once without losing or blocking anything', async () => {
      const rkeys = Array.from({ length: 20 }, (_, index) => `r${index}`);
      const saving = new Set([0, 1, 2, 3]);
      const saves = Promise.all(
        [...saving].map(async (worker) => {
          for (let times = 0; times < 25; times++) {
            await capture(rkeys.filter((_rkey, index) => index % 4 !== worker));
          }
          saving.delete(worker);
        }),
      );
      const held = await leaseOf(store, ALICE, LONG);
      if (!held) throw new Error('the lane is not free');
      const round = async (): Promise<void> => {
        const due = await store.due(ALICE, { limit: 100, backlog: false });
        const done = due.map(({ sync, version }) => ({ uri: sync.uri, version, cid: `v${version}` }));
        expect(await store.settle(held, done)).toBe(true);
        const tries = due.map(({ sync: { uri }, version }) => ({
          uri,
          version,
          error: 'x',
          countsAttempt: false,
          needsSession: false,
        }));
        expect(await store.failed(held, tries)).toBe(true);
      };
      do await round();
      while (saving.size > 0);
      await saves;
      await round();
      expect(await store.countForDid(ALICE)).toBe(0);
      // What is clean is so as of its last capture.
      const rows: { cid: string; version: number }[] = await ledger.dataSource.query(
        'SELECT cid, version FROM parity_ledger',
      );
      expect(rows).toHaveLength(rkeys.length);
      for (const { cid, version } of rows) expect(cid).toBe(`v${version}`);
    }, 60_000);

    it('does not wait for rows that a transaction holds', async () => {
      await store.capture([aChange('a'), aChange('b')]);
      const [a, b] = [await ledger.entry('a'), await ledger.entry('b')];
      const held = await leaseOf(store, ALICE, LONG);
      if (!held) throw new Error('the lane is not free');
      const settle = () =>
        store.settle(
          held,
          [a, b].map(({ sync, version }) => ({ uri: sync.uri, version, cid: null })),
        );
      let settled: Promise<boolean> | undefined;
      await ledger.dataSource.transaction(async ({ queryRunner }) => {
        await store.capture([aChange('a')], queryRunner);
        settled = settle();
        // On SQLite's shared connection the module waits until the transaction is over.
        await (kind === 'sqlite' ? wait(20) : settled);
      });
      expect(await settled).toBe(true);
      expect(await ledger.due()).toEqual(['a']);
      expect((await ledger.entry('a')).version).toBe(a.version + 1);
    });

    if (kind === 'postgres') {
      it('makes other captures wait for a row that it leaves alone, until its transaction ends', async () => {
        let captured: Promise<unknown> | undefined;
        let over = false;
        await ledger.dataSource.transaction(async ({ queryRunner }) => {
          const draft = { ...aChange('a', { cid: null }), unlessSettled: true };
          expect([...(await store.capture([draft], queryRunner))]).toEqual([uriOf('a')]);
          captured = store.capture([aChange('a')]).then(() => expect(over).toBe(true));
          await wait(100);
          over = true;
        });
        await captured;
        expect(await ledger.due()).toEqual(['a']);
      });
    }

    it('needs no second connection in a pool of one', async () => {
      const single = await ledger.database.open({ synchronize: false, poolSize: 1 });
      const one = new DatabasePendingSyncStore({ dataSource: single, ttl: null });
      await single.transaction(async ({ queryRunner }) =>
        one.capture([aChange('a'), aChange('b')], queryRunner),
      );
      await Promise.all(Array.from({ length: 5 }, (_, index) => one.capture([aChange(`r${index}`)])));
      // After its commit a caller still holds its connection: the store works on that one.
      const runner = single.createQueryRunner();
      await runner.startTransaction();
      await one.capture([aChange('c')], runner);
      await runner.commitTransaction();
      const mine = one.on(() => runner);
      const held = await leaseOf(mine, ALICE, LONG);
      if (!held) throw new Error('the lane is not free');
      const due = await mine.due(ALICE, { limit: 100, backlog: false });
      expect(due).toHaveLength(8);
      expect(
        await mine.settle(
          held,
          due.slice(2).map(({ sync, version }) => ({ uri: sync.uri, version, cid: null })),
        ),
      ).toBe(true);
      const [entry] = due;
      expect(entry && (await mine.discard(held, [{ entry, reason: 'no' }]))).toHaveLength(1);
      await mine.release(held, { next: 'asleep', failures: 0 });
      await runner.release();
      expect(await one.countForDid(ALICE)).toBe(1);
      if (kind !== 'sqlite') await single.destroy();
    });

    describe('a settlement with other work', () => {
      const state = { head: 'bafyhead', inFlight: null, unsettled: {}, spentPoints: [] };
      const remembered = () => new DatabaseRepositoryStateStore(ledger.dataSource).load(ALICE);
      const lease = async () => {
        const held = await leaseOf(store, ALICE, LONG);
        if (!held) throw new Error('the lane is not free');
        return held;
      };
      /** Work of the entities' own: takes the lane's failures for an entity's column. */
      function* work(failures: number) {
        yield { text: `UPDATE parity_lane SET failures = ${failures}`, parameters: [] };
        return failures;
      }
      const settle = async (held: Lease, rkey: string, failures: number, fail = false) => {
        const { sync, version } = await ledger.entry(rkey);
        const done = [{ uri: sync.uri, version, cid: 'bafy' }];
        return store.settleWith(held, work(failures), () => {
          if (fail) throw new Error('no');
          return { done, state, isLast: false };
        });
      };

      it('is one transaction with it, which also stores the head of the repository', async () => {
        await store.capture([aChange('a'), aChange('b')]);
        const held = await lease();
        await expect(settle(held, 'a', 7, true)).rejects.toThrow('no');
        expect((await store.lane(ALICE)).failures).toBe(0);
        expect(await remembered()).toBeNull();
        expect(await settle(held, 'a', 7)).toBe(7);
        expect((await store.lane(ALICE)).failures).toBe(7);
        expect(await ledger.due()).toEqual(['b']);
        expect(await remembered()).toEqual(state);
      });

      it('gives the lane back, unless the lane was woken meanwhile', async () => {
        for (const isWoken of [false, true]) {
          await ledger.clear();
          await store.capture([aChange('a'), aChange('b')]);
          const held = await lease();
          if (isWoken) await store.wake(ALICE);
          const done = [{ uri: uriOf('a'), version: (await ledger.entry('a')).version, cid: 'bafy' }];
          await store.settleWith(held, work(7), () => ({ done, state, isLast: true }));
          expect(await remembered()).toEqual(state);
          expect(await store.extend(held, LONG)).toBeNull();
          expect(await store.lane(ALICE)).toMatchObject({ failures: 0 });
          expect(await store.readyLanes(10)).toEqual(isWoken ? [ALICE] : []);
        }
      });

      it('does nothing once another worker has the lane', async () => {
        await store.capture([aChange('a')]);
        const lost = await leaseOf(store, ALICE, 1);
        await wait(20);
        await lease();
        if (!lost) throw new Error('the lane is not free');
        await expect(settle(lost, 'a', 7)).rejects.toThrow(LeaseLostError);
        expect((await store.lane(ALICE)).failures).toBe(0);
        expect(await ledger.due()).toEqual(['a']);
        expect(await remembered()).toBeNull();
      });
    });

    it('keeps discarded entries as dead letters, which can be listed, requeued and purged', async () => {
      const letters = new DeadLetters(new LedgerAccess(ledger.dataSource));
      await store.capture(['a', 'b', 'c'].map((rkey) => aChange(rkey)));
      await store.capture([aChange('x', { did: BOB })]);
      for (const did of [ALICE, BOB]) {
        const held = await leaseOf(store, did, LONG);
        if (!held) throw new Error('the lane is not free');
        for (const entry of await store.due(did, { limit: 10, backlog: false })) {
          const tries = [
            {
              uri: entry.sync.uri,
              version: entry.version,
              error: 'bad',
              countsAttempt: true,
              needsSession: false,
            },
          ];
          await store.failed(held, tries);
          await store.discard(held, [{ entry, reason: 'invalid' }]);
          await wait(2);
        }
        await store.release(held, { next: 'asleep', failures: 0 });
      }
      const first = await letters.list({ limit: 3 });
      expect(first.letters.map(({ sync }) => sync.rkey)).toEqual(['a', 'b', 'c']);
      expect(first.letters[0]).toMatchObject({ reason: 'invalid', sync: { attempts: 1, lastError: 'bad' } });
      const second = await letters.list({ limit: 3, after: first.next ?? '' });
      expect(second.letters.map(({ sync }) => sync.rkey)).toEqual(['x']);
      expect(second.next).toBeNull();
      expect((await letters.list({ did: BOB })).letters).toHaveLength(1);

      expect(await letters.requeue(uriOf('b'))).toBe(true);
      expect(await letters.requeue(uriOf('b'))).toBe(false);
      expect(await letters.requeue('no id')).toBe(false);
      expect(await store.readyLanes(10)).toEqual([ALICE]);
      expect(await ledger.entry('b')).toMatchObject({ version: 2, sync: { attempts: 0 } });
      await store.capture([aChange('a')]);
      expect((await letters.list()).letters.map(({ sync }) => sync.rkey)).toEqual(['c', 'x']);

      expect(await letters.purge(new Date(Date.now() - LONG))).toBe(0);
      await wait(5);
      expect(await letters.purge(new Date())).toBe(2);
      expect((await letters.list()).letters).toEqual([]);
      await store.capture([aChange('c')]);
      expect((await ledger.entry('c')).version).toBe(2);
    });
  });
}

describeDatabase('sqlite')("another caller's transaction on the shared connection", () => {
  it('rolls back nothing that the module has stored for itself', async () => {
    const ledger = await Ledger.open('sqlite');
    const { store, dataSource } = ledger;
    try {
      await store.capture([aChange('a')]);
      const { version } = await ledger.entry('a');
      let work: Promise<unknown> = Promise.resolve();
      await dataSource
        .transaction(async () => {
          work = (async () => {
            const held = await leaseOf(store, ALICE, LONG);
            if (!held) throw new Error('the lane is not free');
            await store.settle(held, [{ uri: uriOf('a'), version, cid: null }]);
          })();
          await wait(30);
          throw new Error('no');
        })
        .catch(() => undefined);
      await work;
      expect(await store.hasForDid(ALICE)).toBe(false);
      expect(await leaseOf(store, ALICE, LONG)).toBeNull();
    } finally {
      await ledger.database.cleanup();
    }
  });
});
