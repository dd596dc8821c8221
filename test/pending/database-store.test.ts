import { setTimeout as wait } from 'node:timers/promises';
import { Column, Entity, PrimaryGeneratedColumn, type Logger } from 'typeorm';
import { DatabasePendingSyncStore } from '../../lib/pending/database/database-pending-sync.store.js';
import { DatabaseRepositoryStateStore } from '../../lib/pending/database/database-repository-state.store.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { leaseOf, aChange, ALICE, BOB, Ledger, uriOf } from './database-fixtures.js';

@Entity()
class Thing {
  @PrimaryGeneratedColumn() id!: number;
  @Column() name!: string;
}

const LONG = 60_000;

for (const kind of databaseKinds) {
  describeDatabase(kind)(`the database store (${kind})`, () => {
    let ledger: Ledger;
    let store: DatabasePendingSyncStore;
    const statements: string[] = [];
    const logger = { logQuery: (sql: string) => void statements.push(sql) } as unknown as Logger;
    for (const name of ['logQueryError', 'logQuerySlow', 'logSchemaBuild', 'logMigration', 'log'] as const) {
      logger[name] = () => undefined;
    }

    beforeAll(async () => {
      ledger = await Ledger.open(kind, { logger } as object, [Thing]);
      ({ store } = ledger);
    });
    beforeEach(() => ledger.clear());
    afterAll(() => ledger?.database.cleanup());

    const lease = async (did = ALICE, from = store) => {
      const taken = await leaseOf(from, did, LONG);
      if (!taken) throw new Error('the lane is not free');
      return taken;
    };

    describe('capture', () => {
      it('is one statement, whatever the number of changes', async () => {
        for (const count of [1, 3, 500]) {
          const changes = Array.from({ length: count }, (_, index) => aChange(`r${index}`));
          await ledger.dataSource.transaction(async ({ queryRunner }) => {
            statements.length = 0;
            await store.capture(changes, queryRunner);
            expect(statements).toHaveLength(1);
            expect(statements[0]).not.toContain('parity_lane');
          });
        }
        expect(await store.countForDid(ALICE)).toBe(500);
      });

      it('is rolled back with the transaction of the entity, and committed with it', async () => {
        const save = (rkey: string, fail: boolean) =>
          ledger.dataSource.transaction(async (manager) => {
            await manager.save(Thing, { name: rkey });
            await store.capture([aChange(rkey)], manager.queryRunner);
            if (fail) throw new Error('no');
          });
        await save('a', false);
        await expect(save('b', true)).rejects.toThrow('no');
        expect(await ledger.due()).toEqual(['a']);
      });

      it('is rolled back with its savepoint, and with no other', async () => {
        await ledger.dataSource.transaction(async (manager) => {
          await store.capture([aChange('a')], manager.queryRunner);
          await manager
            .transaction(async (nested) => {
              await store.capture([aChange('a'), aChange('b')], nested.queryRunner);
              throw new Error('no');
            })
            .catch(() => undefined);
          await manager.transaction((nested) => store.capture([aChange('c')], nested.queryRunner));
        });
        expect(await ledger.due()).toEqual(['a', 'c']);
        expect((await ledger.entry('a')).version).toBe(1);
      });

      it('refuses the transaction of another DataSource', async () => {
        const other = await ledger.database.open({ synchronize: false });
        const runner = other.createQueryRunner();
        await expect(store.capture([aChange('a')], runner)).rejects.toMatchObject({
          code: 'INVALID_OPTIONS',
        });
        await runner.release();
        await other.destroy();
      });

      it('distinguishes record keys and entities by case', async () => {
        await store.capture([aChange('abc', { entityId: 'x' }), aChange('ABC', { entityId: 'X' })]);
        await store.capture([aChange('abc', { entityId: 'X', operation: 'unpublish', givenUp: true })]);
        expect((await ledger.due()).toSorted()).toEqual(['ABC', 'abc']);
        expect((await ledger.entry('abc')).entityId).toBe('x');
      });

      it('takes the longest keys, and any entity id', async () => {
        const did = `did:web:${'a'.repeat(253)}`;
        const rkey = 'k'.repeat(512);
        const collection = `${'com.'.repeat(1)}${'c'.repeat(63)}.${'d'.repeat(63)}.${'e'.repeat(63)}.${'f'.repeat(63)}.${'g'.repeat(50)}`;
        const entityId = JSON.stringify({ key: 'é😀\'\\"\n', n: 'x'.repeat(3_000) });
        await store.capture([{ ...aChange(rkey, { did, entityId }), address: { did, collection, rkey } }]);
        const [entry] = await store.due(did, { limit: 1, backlog: false });
        expect(entry).toMatchObject({ address: { did, collection, rkey }, entityId });
      });

      it('keeps the known cid when the address is captured without one', async () => {
        await store.capture([aChange('a')]);
        const { version } = await ledger.entry('a');
        const held = await lease();
        await store.settle(held, [{ uri: uriOf('a'), version, cid: 'bafyone' }]);
        await store.capture([aChange('a', { operation: 'unpublish', givenUp: true })]);
        expect(await ledger.entry('a')).toMatchObject({ cid: 'bafyone', version: version + 1 });
        await store.settle(held, [{ uri: uriOf('a'), version: version + 1, cid: null }]);
        await store.capture([aChange('a')]);
        expect((await ledger.entry('a')).cid).toBeNull();
      });
    });

    describe('an entry that is settled as of a version that has moved', () => {
      it('stays pending, with the record that is known to be there by now', async () => {
        await store.capture([aChange('a'), aChange('b')]);
        const { version } = await ledger.entry('a');
        // A removal whose row was read before the record came into it.
        await store.capture([aChange('a', { operation: 'unpublish', givenUp: true })]);
        const held = await lease();
        await store.settle(held, [
          { uri: uriOf('a'), version, cid: 'bafyone' },
          { uri: uriOf('b'), version: (await ledger.entry('b')).version, cid: 'bafytwo', stays: true },
        ]);
        expect(await ledger.entry('a')).toMatchObject({ cid: 'bafyone', operation: 'unpublish' });
        expect(await ledger.entry('b')).toMatchObject({ cid: 'bafytwo' });
        await store.capture([aChange('b')]);
        await store.settle(held, [
          { uri: uriOf('b'), version: (await ledger.entry('b')).version - 1, cid: 'bafyold', asIs: true },
        ]);
        expect(await ledger.entry('b')).toMatchObject({ cid: 'bafytwo' });
      });
    });

    describe('a capture of an address that is already settled', () => {
      const CID = 'bafysettled';
      const unchanged = (rkey: string) => aChange(rkey, { cid: CID, unlessSettled: true });
      /** MySQL and MariaDB have no condition for it. */
      const leaves = kind !== 'mariadb';

      const row = async (rkey: string): Promise<Record<string, unknown>> => {
        const [found] = await ledger.dataSource.query(`SELECT * FROM parity_ledger WHERE rkey = '${rkey}'`);
        return found;
      };
      const settle = async (...rkeys: string[]) => {
        await store.capture(rkeys.map((rkey) => aChange(rkey)));
        const held = await lease();
        const entries = await store.at(
          ALICE,
          rkeys.map((rkey) => uriOf(rkey)),
        );
        await store.settle(
          held,
          entries.map(({ sync, version }) => ({ uri: sync.uri, version, cid: CID })),
        );
        await store.release(held, { next: 'asleep', failures: 0 });
      };

      it('is one statement (on SQLite after a look), which leaves that row as it was and captures the others', async () => {
        const rkeys = Array.from({ length: 500 }, (_, index) => `r${index}`);
        await settle(...rkeys);
        await ledger.dataSource.query("UPDATE parity_ledger SET cid = 'bafyother' WHERE rkey = 'r8'");
        const left = await ledger.dataSource.transaction(async ({ queryRunner }) => {
          statements.length = 0;
          const answer = await store.capture([...rkeys, 'new'].map(unchanged), queryRunner);
          expect(statements).toHaveLength(kind === 'sqlite' ? 2 : 1);
          return answer;
        });
        const kept = (await ledger.due()).toSorted();
        expect(kept).toEqual(leaves ? ['new', 'r8'] : [...rkeys, 'new'].toSorted());
        expect(left).toEqual(
          new Set(leaves ? rkeys.filter((rkey) => rkey !== 'r8').map((rkey) => uriOf(rkey)) : []),
        );
        const { version } = await row('r7');
        expect([Number(version), Number((await row('r8'))['version'])]).toEqual(leaves ? [1, 2] : [2, 2]);
      });

      it('works the same without prepared statements, and on a connection of its own', async () => {
        await settle('a');
        const unprepared = new DatabasePendingSyncStore({
          dataSource: ledger.dataSource,
          ttl: null,
          preparedStatements: false,
        });
        const own = await store.capture([unchanged('a')]);
        const left = await ledger.dataSource.transaction(({ queryRunner }) =>
          unprepared.capture([unchanged('a')], queryRunner),
        );
        const expected = new Set(leaves ? [uriOf('a')] : []);
        expect([own, left]).toEqual([expected, expected]);
      });

      it('is kept once its dead letter was purged, because a request for it may be under way', async () => {
        await settle('a');
        await store.capture([aChange('a')]);
        const held = await lease();
        await store.failed(held, [
          { uri: uriOf('a'), version: 2, error: 'x', countsAttempt: true, needsSession: false },
        ]);
        await store.discard(held, [{ entry: await ledger.entry('a'), reason: 'x' }]);
        expect(await store.deadLetters.purge(new Date(Date.now() + LONG))).toBe(1);
        expect(await store.capture([unchanged('a')])).toEqual(new Set());
        expect(await ledger.due()).toEqual(['a']);
      });

      if (kind === 'postgres') {
        it('makes other captures wait until its transaction has ended', async () => {
          await settle('a');
          const peer = await ledger.peer();
          const order: string[] = [];
          let other: Promise<unknown> | undefined;
          await ledger.dataSource.transaction(async ({ queryRunner }) => {
            await store.capture([unchanged('a')], queryRunner);
            other = peer.capture([aChange('a')]).then(() => order.push('captured'));
            await wait(100);
            order.push('committed');
          });
          await other;
          expect(order).toEqual(['committed', 'captured']);
        });
      }
    });

    describe('a lane', () => {
      it('refuses every write to a lease that was taken over, and its entries stay', async () => {
        await store.capture([aChange('a')]);
        const entry = await ledger.entry('a');
        const stale = await leaseOf(store, ALICE, 20);
        await wait(40);
        const now = await lease();
        if (!stale) throw new Error('no lease');
        expect(now.token).toBeGreaterThan(stale.token);
        expect(await store.settle(stale, [{ uri: uriOf('a'), version: entry.version, cid: null }])).toBe(
          false,
        );
        expect(
          await store.failed(stale, [
            { uri: uriOf('a'), version: entry.version, error: 'x', countsAttempt: true, needsSession: false },
          ]),
        ).toBe(false);
        expect(await store.discard(stale, [{ entry, reason: 'x' }])).toEqual([]);
        expect(await store.extend(stale, LONG)).toBeNull();
        await store.release(stale, { next: 'asleep', failures: 3 });
        expect(await leaseOf(store, ALICE, LONG)).toBeNull();
        expect(await ledger.entry('a')).toEqual(entry);
      });

      it('is leased to one of many workers that ask at once, from several processes', async () => {
        const stores = [store, await ledger.peer(), await ledger.peer(), store];
        for (let round = 0; round < 10; round++) {
          const did = `did:plc:${round}`;
          const leases = await Promise.all([...stores, ...stores].map((one) => leaseOf(one, did, LONG)));
          const [winner, ...others] = leases.filter((one) => one !== null);
          expect(others).toEqual([]);
          if (winner) await store.release(winner, { next: 'asleep', failures: 0 });
          expect((await lease(did)).token).toBe((winner?.token ?? 0) + 1);
        }
      });

      it('whose backfill has to wait is found by a sweep for live changes since', async () => {
        await store.capture([aChange('old', { backfill: true })]);
        const backfillAt = new Date(Date.now() + LONG);
        await store.release(await lease(), { next: { backfillAt }, failures: 0 });
        expect(await store.sweep(0)).toBe(0);
        await store.capture([aChange('new')]);
        await wait(3);
        expect(await store.sweep(0)).toBe(1);
        expect(await store.readyLanes(10)).toEqual([ALICE]);
        expect(await ledger.due()).toEqual(['new']);
      });

      it('that wakes by itself later is found by a sweep for changes since', async () => {
        await store.capture([aChange('later')]);
        const held = await lease();
        const { version } = await ledger.entry('later');
        await store.failed(held, [
          { uri: uriOf('later'), version, error: 'x', countsAttempt: false, needsSession: false },
        ]);
        const wakeAt = new Date(Date.now() + LONG);
        await store.release(held, { next: 'asleep', failures: 1, wakeAt });
        expect(await store.sweep(0)).toBe(0);
        await store.capture([aChange('new')]);
        await wait(3);
        expect(await store.sweep(0)).toBe(1);
        expect(await store.readyLanes(10)).toEqual([ALICE]);
      });

      it('that was not woken is found by a sweep, and one whose attempts failed is left alone', async () => {
        await store.capture([aChange('a'), aChange('x', { did: BOB })]);
        const { version } = await ledger.entry('x', BOB);
        const held = await lease(BOB);
        await store.failed(held, [
          { uri: uriOf('x', BOB), version, error: 'x', countsAttempt: true, needsSession: false },
        ]);
        await store.release(held, { next: 'asleep', failures: 0 });
        expect(await store.sweep()).toBe(0);
        expect(await store.readyLanes(10)).toEqual([]);
        await wait(3);
        expect(await store.sweep(0)).toBe(1);
        expect(await store.readyLanes(10)).toEqual([ALICE]);
        expect(await store.sweep(0)).toBe(0);
      });

      it('that sleeps is found by a sweep among many others', async () => {
        const dids = Array.from({ length: 1_100 }, (_, index) => `did:plc:${String(index).padStart(4, '0')}`);
        await store.capture(dids.map((did) => aChange('a', { did })));
        await wait(3);
        const woken = [await store.sweep(0), await store.sweep(0), await store.sweep(0)];
        expect(woken.reduce((sum, count) => sum + count)).toBe(dids.length);
        expect(Math.max(...woken)).toBeLessThanOrEqual(500);
        expect(await store.sweep(0)).toBe(0);
      });

      it('that sleeps is found by one sweep behind any number of parked ones, which it does not ask for one by one', async () => {
        const parked = Array.from(
          { length: 2_000 },
          (_, index) => `did:plc:${String(index).padStart(4, '0')}`,
        );
        await store.capture([...parked, 'did:plc:lost'].map((did) => aChange('a', { did })));
        await ledger.dataSource.query(
          'INSERT INTO parity_lane (did, token, leased, wakes, failures, park_reason) ' +
            "SELECT did, 1, FALSE, 0, 0, 'revoked' FROM parity_ledger WHERE did <> 'did:plc:lost'",
        );
        await wait(3);
        statements.length = 0;
        expect(await store.sweep(0)).toBe(1);
        expect(statements.length).toBeLessThanOrEqual(2);
        expect(await store.readyLanes(10)).toEqual(['did:plc:lost']);
        expect(await (await ledger.peer()).sweep(0)).toBe(0);
      });

      it('that is parked is not found by a sweep', async () => {
        await store.capture([aChange('a')]);
        await store.park(ALICE, { reason: 'revoked', sessionId: 's', code: 'OAUTH_SESSION_INVALID' });
        await wait(3);
        expect(await store.sweep(0)).toBe(0);
        await store.unpark(ALICE, { retry: false });
        expect(await store.sweep(0)).toBe(0);
      });
    });

    it('lets a record that failed rest for a minute, and each time twice as long up to an hour', async () => {
      await store.capture([aChange('a')]);
      const { version } = await ledger.entry('a');
      const pass = (minutes: number): Promise<unknown> =>
        ledger.dataSource.query(`UPDATE parity_ledger SET tried_at = tried_at - ${minutes * 60_000_000}`);
      for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60]) {
        const held = await lease();
        const failed = { uri: uriOf('a'), version, error: 'no', countsAttempt: true, needsSession: false };
        await store.failed(held, [failed]);
        await store.release(held, { next: 'asleep', failures: 0 });
        await pass(minutes - 0.5);
        expect(await ledger.due()).toEqual([]);
        await pass(0.5);
        expect(await ledger.due()).toEqual(['a']);
      }
    });

    describe('an entry of a class that no process knows', () => {
      const leaving = () => {
        const one = new DatabasePendingSyncStore({ dataSource: ledger.dataSource, ttl: null });
        one.leave('Unknown');
        return one;
      };
      const unknown = (rkey: string, rest: object = {}) => aChange(rkey, { entityName: 'Unknown', ...rest });
      /** As if this had been so for so many days. */
      const since = async (days: number): Promise<void> => {
        const earlier = days * 24 * 3_600_000_000;
        await ledger.dataSource.query(`UPDATE parity_ledger SET changed_at = changed_at - ${earlier}`);
        await ledger.dataSource.query(
          `UPDATE parity_lane SET unparked_at = unparked_at - ${earlier}, backlog_before = backlog_before - ${earlier}`,
        );
      };

      it('becomes a dead letter after seven days, and is pending again when it is requeued', async () => {
        await store.capture([unknown('a'), aChange('b')]);
        await since(6.9);
        expect(await leaving().cleanup()).toEqual([]);
        await since(0.2);
        expect(await leaving().cleanup()).toEqual([
          {
            sync: expect.objectContaining({ uri: uriOf('a'), entityName: 'Unknown' }) as object,
            reason: "no process that was running in 7 days has known an entity class by the name 'Unknown'",
          },
        ]);
        expect(await leaving().cleanup()).toEqual([]);
        expect(await ledger.due()).toEqual(['b']);
        expect((await store.deadLetters.list()).letters.map(({ sync }) => sync.uri)).toEqual([uriOf('a')]);
        expect(await store.deadLetters.requeue(uriOf('a'))).toBe(true);
        expect(await leaving().cleanup()).toEqual([]);
        expect((await ledger.due()).toSorted()).toEqual(['a', 'b']);
      });

      it('is kept while its account has to sign in, backs off, or has only just signed in', async () => {
        const dids = ['did:plc:parked', 'did:plc:off', 'did:plc:fresh', 'did:plc:backlog'];
        await store.capture(dids.map((did) => unknown('a', { did })));
        const park = { reason: 'revoked', sessionId: null, code: 'OAUTH_SESSION_INVALID' } as const;
        await store.park('did:plc:parked', park);
        await store.park('did:plc:backlog', park);
        await store.release(await lease('did:plc:off'), {
          next: { retryAt: new Date(Date.now() + LONG) },
          failures: 1,
        });
        await store.unpark('did:plc:backlog', { retry: false });
        await since(8);
        await store.unpark('did:plc:fresh', { retry: true });
        expect(await leaving().cleanup()).toEqual([]);
      });

      it('is kept if a process has attempted it, and if it asks for a record to be deleted', async () => {
        await store.capture([
          unknown('tried'),
          unknown('gone', { operation: 'unpublish', givenUp: true, orphaned: true }),
          unknown('unwanted', { operation: 'unpublish', trigger: 'unpublish' }),
        ]);
        const held = await lease();
        const { version } = await ledger.entry('tried');
        await store.failed(held, [
          { uri: uriOf('tried'), version, error: 'x', countsAttempt: true, needsSession: false },
        ]);
        await store.release(held, { next: 'asleep', failures: 0 });
        await since(8);
        expect(await leaving().cleanup()).toEqual([]);
      });
    });

    describe('the state of a repository', () => {
      it('is stored with the lane, and read as it was stored', async () => {
        const state = new DatabaseRepositoryStateStore(ledger.dataSource);
        expect(await state.load(ALICE)).toBeNull();
        const held = await lease();
        expect(await state.load(ALICE)).toBeNull();
        const busy = {
          head: 'bafyhead',
          inFlight: { head: 'bafyhead', until: 0, cids: { [uriOf('a')]: 'bafya', [uriOf('b')]: null } },
          unsettled: { [uriOf('c')]: ['bafyc', null] },
          spentPoints: [[1_795_392_000_000, 600]] as const,
        };
        await state.sending(ALICE, busy);
        expect(await state.load(ALICE)).toEqual(busy);
        const calm = { head: 'bafynext', inFlight: null, unsettled: {}, spentPoints: [] };
        await state.settled(ALICE, calm);
        expect(await state.load(ALICE)).toEqual(calm);
        expect(await store.extend(held, LONG)).not.toBeNull();
        await state.sending('did:plc:new', busy);
        expect(await state.load('did:plc:new')).toEqual(busy);
        expect((await store.lane('did:plc:new')).park).toBeNull();
      });
    });
  });
}
