import { setTimeout as wait } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';
import { DatabaseInboundLedger } from '../../lib/pending/database/database-inbound.ledger.js';
import { DatabaseRepositoryStateStore } from '../../lib/pending/database/database-repository-state.store.js';
import { DatabaseRepositoryStore } from '../../lib/pending/database/database-repository.store.js';
import { DatabaseSourceCursorStore } from '../../lib/pending/database/database-source-cursor.store.js';
import { atUri } from '../../lib/model/address.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { ledgerCases } from './contract/inbound/ledger.cases.js';
import { addressOf, admit, admitted, known, rev, type InboundSubject } from './contract/inbound/fixtures.js';
import { repositoryCases, sourceCases } from './contract/inbound/repository.cases.js';
import { aChange, ALICE, BOB, leaseOf, Ledger, uriOf } from './database-fixtures.js';

const SPAN = 200;
const LONG = 60_000;

for (const kind of databaseKinds) {
  describeDatabase(kind)(`what is learned of repositories (${kind})`, () => {
    let ledger: Ledger;
    let subject: InboundSubject;

    beforeAll(async () => {
      ledger = await Ledger.open(kind, { poolSize: 8 });
      const { dataSource, store } = ledger;
      const states = new DatabaseRepositoryStateStore(dataSource);
      subject = {
        store,
        ledger: new DatabaseInboundLedger({ dataSource }),
        repositories: new DatabaseRepositoryStore(dataSource),
        sources: new DatabaseSourceCursorStore(dataSource),
        transaction: <T>(work: (runner: QueryRunner) => Promise<T>) =>
          dataSource.transaction(({ queryRunner }) => work(queryRunner!)),
        remember: (did, cids, unsettled) =>
          states.sending(did, {
            head: 'bafyhead',
            inFlight: { head: 'bafyhead', until: 0, cids },
            unsettled,
            spentPoints: [],
          }),
        pass: (milliseconds) => wait(milliseconds + 5),
      };
    });
    afterAll(() => ledger?.database.cleanup());

    const open = async (): Promise<InboundSubject> => {
      await ledger.clear();
      return subject;
    };

    describe('in the ledger', () => {
      it.each(ledgerCases())('$name', ({ run }) => expect(run(open)).resolves.toBeUndefined());
    });
    describe('of accounts', () => {
      it.each(repositoryCases(SPAN))('$name', ({ run }) => expect(run(open)).resolves.toBeUndefined());
    });
    describe('of sources', () => {
      it.each(sourceCases(SPAN))('$name', ({ run }) => expect(run(open)).resolves.toBeUndefined());
    });
  });

  if (kind === 'sqlite') continue;

  describeDatabase(kind)(`admissions at once (${kind})`, () => {
    let ledger: Ledger;
    let subject: Pick<InboundSubject, 'store' | 'ledger' | 'transaction'>;
    let transaction: InboundSubject['transaction'];

    beforeAll(async () => {
      ledger = await Ledger.open(kind, { poolSize: 8 });
      const { dataSource, store } = ledger;
      transaction = (work) => dataSource.transaction(({ queryRunner }) => work(queryRunner!));
      subject = { store, ledger: new DatabaseInboundLedger({ dataSource }), transaction };
    });
    beforeEach(() => ledger.clear());
    afterAll(() => ledger?.database.cleanup());

    it('wait for each other where they are of one account, so each sees what the one before has admitted', async () => {
      let running = 0;
      const seen: number[] = [];
      const one = (number: number): Promise<void> =>
        transaction(async (runner) => {
          await subject.ledger.lock([BOB, ALICE], runner);
          expect(++running).toBe(1);
          const { known: rows, held } = await subject.ledger.at([addressOf('a')], runner);
          expect(held.size).toBe(0);
          const row = rows.get(uriOf('a'));
          seen.push(Number(row?.entityId ?? 0));
          await wait(5);
          const next = { isNew: !row, rev: rev(number), entityId: String(Number(row?.entityId ?? 0) + 1) };
          await subject.ledger.admit([admitted('a', next)], runner);
          running--;
        });
      await Promise.all([1, 2, 3, 4, 5, 6].map(one));
      expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
      expect((await known(subject, 'a'))?.rev).toBe(rev(6));
    });

    it('of other accounts do not wait', async () => {
      await transaction(async (runner) => {
        await subject.ledger.lock([ALICE], runner);
        await admit(subject, admitted('a', { did: BOB }));
      });
      expect(await known(subject, 'a', BOB)).toMatchObject({ cid: 'bafyremote' });
    });

    it('of new addresses lock no gap in which the application captures', async () => {
      await transaction(async (runner) => {
        await subject.ledger.lock([ALICE], runner);
        const many = Array.from({ length: 50 }, (_, index) => addressOf(`r${index}`));
        expect((await subject.ledger.at(many, runner)).known.size).toBe(0);
        await ledger.store.capture([aChange('r1x'), aChange('zz', { did: BOB }), aChange('r5')]);
        await subject.ledger.admit([admitted('r7')], runner);
        await ledger.store.capture([aChange('r7x'), aChange('r6')]);
      });
      expect((await ledger.due()).toSorted()).toEqual(['r1x', 'r5', 'r6', 'r7x']);
    });

    it('find a row that a transaction of the application holds, and wait for nothing', async () => {
      await ledger.store.capture([aChange('a')]);
      await transaction(async (application) => {
        await ledger.store.capture([aChange('a'), aChange('new')], application);
        await transaction(async (runner) => {
          await subject.ledger.lock([ALICE], runner);
          await subject.ledger.inFlight([ALICE], runner);
          const found = await subject.ledger.at(
            ['a', 'b', 'new'].map((rkey) => addressOf(rkey)),
            runner,
          );
          expect([...found.held]).toEqual([uriOf('a')]);
          expect(found.known.size).toBe(0);
          await subject.ledger.admit([admitted('b')], runner);
        });
      });
      expect((await known(subject, 'a'))?.isDirty).toBe(true);
    });

    it('take no row that the application creates meanwhile, and do not wait for it', async () => {
      await ledger.store.capture([aChange('b')]);
      const looked = Promise.withResolvers<void>();
      const admission = transaction(async (runner) => {
        await subject.ledger.lock([ALICE], runner);
        const found = await subject.ledger.at([addressOf('a'), addressOf('b')], runner);
        expect([...found.known.keys()]).toEqual([uriOf('b')]);
        looked.resolve();
        await wait(100);
        await subject.ledger.admit([admitted('a')], runner);
      });
      admission.catch(() => undefined);
      await looked.promise;
      // It inserts one address, and waits for the other, which the admission has locked.
      await transaction((application) => ledger.store.capture([aChange('a'), aChange('b')], application));
      await expect(admission).rejects.toMatchObject({ code: 'RETRY_LATER' });
      expect(await known(subject, 'a')).toMatchObject({ isDirty: true, rev: null });
      await admit(subject, admitted('a'));
      expect(await known(subject, 'a')).toMatchObject({ isDirty: false, rev: rev(1) });
    });

    describe('against a settlement of the same row', () => {
      const uri = uriOf('a');
      const begin = async () => {
        await ledger.store.capture([aChange('a')]);
        const lease = await leaseOf(ledger.store, ALICE, LONG);
        if (!lease) throw new Error('the lane is not free');
        return { lease, entry: await ledger.entry('a') };
      };

      it('that is under way, find the row held', async () => {
        const { lease, entry } = await begin();
        const settling = transaction(async (runner) => {
          // What a settlement does until its last statement.
          await runner.query(
            `UPDATE parity_ledger SET pending_since = NULL, cid = 'bafyours' WHERE rkey = 'a'`,
          );
          await transaction(async (other) => {
            await subject.ledger.lock([ALICE], other);
            const found = await subject.ledger.at([addressOf('a')], other);
            expect([...found.held]).toEqual([uri]);
          });
        });
        await settling;
        expect(entry.version).toBe(1);
        await ledger.store.release(lease, { next: 'asleep', failures: 0 });
      });

      it('that comes first, see what was settled', async () => {
        const { lease, entry } = await begin();
        await transaction(async (runner) => {
          await subject.ledger.lock([ALICE], runner);
          await subject.ledger.inFlight([ALICE], runner);
          const done = { uri, version: entry.version, cid: 'bafyours', rev: rev(2) };
          await ledger.store.settle(lease, [done]);
          const { known: rows } = await subject.ledger.at([addressOf('a')], runner);
          expect(rows.get(atUri(addressOf('a')))).toMatchObject({
            cid: 'bafyours',
            rev: rev(2),
            isDirty: false,
          });
        });
        await ledger.store.release(lease, { next: 'asleep', failures: 0 });
      });

      it('that comes later, keep what they have admitted', async () => {
        const { lease, entry } = await begin();
        const done = { uri, version: entry.version, cid: 'bafyours', rev: rev(2) };
        await transaction(async (runner) => {
          await subject.ledger.lock([ALICE], runner);
          await subject.ledger.at([addressOf('a')], runner);
          // The settlement skips the row that is locked.
          await ledger.store.settle(lease, [done]);
          await subject.ledger.admit(
            [admitted('a', { isNew: false, rev: rev(3), outcome: 'dirty' })],
            runner,
          );
        });
        await ledger.store.settle(lease, [done]);
        expect(await known(subject, 'a')).toMatchObject({ cid: 'bafyremote', rev: rev(3), isDirty: true });
        await ledger.store.release(lease, { next: 'asleep', failures: 0 });
      });
    });
  });
}
