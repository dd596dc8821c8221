import assert from 'node:assert/strict';
import type { ImportCounts } from '../../../../lib/pending/repository.store.js';
import { ALICE, BOB, LONG } from '../pending-sync-store/fixtures.js';
import { inboundCase, rev, type InboundCase } from './fixtures.js';

const CAROL = 'did:plc:carol';

const collections = ['com.example.note'];
const counts: ImportCounts = {
  created: 3,
  updated: 0,
  unchanged: 1,
  removed: 0,
  skipped: 2,
  rejected: 0,
  conflicted: 0,
};

export const repositoryCases = (span: number): InboundCase[] => [
  inboundCase('nothing is known of an account that was never met', async ({ repositories }) => {
    assert.equal(await repositories.find(ALICE), null);
    assert.deepEqual(await repositories.ours(), []);
    assert.deepEqual(await repositories.dueImports(10), []);
  }),

  inboundCase(
    'an account that has signed in is ours, and its import is due where that is asked for',
    async ({ repositories }) => {
      await repositories.update(BOB, { status: 'deactivated' });
      await repositories.signedIn(BOB, { importDue: false });
      await repositories.signedIn(ALICE, { importDue: true });
      await repositories.update(CAROL, {});
      assert.deepEqual(await repositories.ours(), [ALICE, BOB]);
      assert.deepEqual(await repositories.dueImports(10), [ALICE]);
      assert.deepEqual(await repositories.find(BOB), {
        did: BOB,
        isOurs: true,
        status: 'deactivated',
        handle: null,
        pds: null,
        rev: null,
        collections: [],
        importedAt: null,
        importAt: null,
        counts: null,
        lastError: null,
        failures: 0,
      });
      await repositories.signedIn(BOB, { importDue: true });
      assert.deepEqual(await repositories.dueImports(10), [ALICE, BOB]);
    },
  ),

  inboundCase('what is known of an account changes field by field', async ({ repositories, transaction }) => {
    await repositories.update(ALICE, { handle: 'alice.test', pds: 'https://pds.test' });
    await repositories.update(ALICE, { handle: null });
    await transaction((runner) => repositories.update(ALICE, { status: 'takendown' }, runner));
    const { handle, pds, status, isOurs } = (await repositories.find(ALICE))!;
    assert.deepEqual([handle, pds, status, isOurs], [null, 'https://pds.test', 'takendown', false]);
  }),

  inboundCase(
    'imports become due: those that were asked for, or all that are ours or were imported',
    async ({ repositories, transaction }) => {
      await repositories.signedIn(ALICE, { importDue: false });
      await repositories.update(CAROL, { handle: 'carol.test' });
      const lease = (await repositories.leaseImport(BOB, LONG))!;
      await repositories.endImport(lease, { rev: rev(1), collections, counts });
      await repositories.importDue('all');
      assert.deepEqual((await repositories.dueImports(10)).toSorted(), [ALICE, BOB]);
      await transaction((runner) => repositories.importDue([CAROL, 'did:plc:dan'], runner));
      assert.equal((await repositories.dueImports(10)).length, 4);
      assert.equal((await repositories.dueImports(1)).length, 1);
      await repositories.importDue([]);
    },
  ),

  inboundCase(
    'the import that has waited longest comes first, also if it is asked for again',
    async ({ repositories, pass }) => {
      for (const did of [BOB, ALICE]) {
        await repositories.importDue([did]);
        await pass(5);
      }
      await repositories.importDue([BOB, ALICE]);
      assert.deepEqual(await repositories.dueImports(10), [BOB, ALICE]);
    },
  ),

  inboundCase('one process imports an account at a time', async ({ repositories }) => {
    await repositories.importDue([ALICE]);
    const all = await Promise.all([1, 2, 3, 4].map(() => repositories.leaseImport(ALICE, LONG)));
    assert.equal(all.filter((lease) => lease !== null).length, 1);
    assert.deepEqual(await repositories.dueImports(10), []);
    assert.notEqual(await repositories.leaseImport(BOB, LONG), null);
  }),

  inboundCase(
    'a lease that has ended is taken over, and its holder writes nothing any more',
    async ({ repositories, pass }) => {
      await repositories.importDue([ALICE]);
      const stale = (await repositories.leaseImport(ALICE, span))!;
      await pass(span);
      assert.deepEqual(await repositories.dueImports(10), [ALICE]);
      const lease = (await repositories.leaseImport(ALICE, LONG))!;
      assert.ok(lease.token > stale.token);
      assert.equal(await repositories.extendImport(stale, LONG), false);
      assert.equal(await repositories.endImport(stale, { rev: rev(1), collections, counts }), false);
      assert.equal((await repositories.find(ALICE))?.rev, null);
      assert.equal(await repositories.extendImport(lease, LONG), true);
      assert.equal(await repositories.endImport(lease, { rev: rev(2), collections, counts }), true);
      assert.equal(await repositories.endImport(lease, { rev: rev(3), collections, counts }), false);
      assert.equal(await repositories.extendImport(lease, LONG), false);
      assert.equal((await repositories.find(ALICE))?.rev, rev(2));
    },
  ),

  inboundCase(
    'an import that has ended is due no more, unless it was asked for while it ran',
    async ({ repositories }) => {
      await repositories.importDue([ALICE, BOB]);
      const leases = [
        (await repositories.leaseImport(ALICE, LONG))!,
        (await repositories.leaseImport(BOB, LONG))!,
      ] as const;
      await repositories.importDue([ALICE]);
      for (const lease of leases) await repositories.endImport(lease, { rev: rev(1), collections, counts });
      assert.deepEqual(await repositories.dueImports(10), [ALICE]);
      const { importedAt, importAt, counts: kept, lastError, failures } = (await repositories.find(BOB))!;
      assert.ok(importedAt && Math.abs(importedAt.getTime() - Date.now()) < 60_000);
      assert.deepEqual([importAt, kept, lastError, failures], [null, counts, null, 0]);
    },
  ),

  inboundCase(
    'a failed import is tried again at its time, and keeps what was imported',
    async ({ repositories }) => {
      const fail = async (retryAt: Date | null): Promise<void> => {
        const lease = (await repositories.leaseImport(ALICE, LONG))!;
        assert.equal(await repositories.endImport(lease, { error: 'no\0', retryAt }), true);
      };
      const lease = (await repositories.leaseImport(ALICE, LONG))!;
      await repositories.endImport(lease, { rev: rev(1), collections, counts });
      await fail(new Date(Date.now() + LONG));
      assert.deepEqual(await repositories.dueImports(10), []);
      const later = (await repositories.find(ALICE))!;
      assert.ok(Math.abs(later.importAt!.getTime() - Date.now() - LONG) < 60_000);
      assert.deepEqual([later.lastError, later.failures, later.rev], ['no', 1, rev(1)]);
      await fail(new Date(Date.now() - 1));
      assert.deepEqual(await repositories.dueImports(10), [ALICE]);
      await fail(null);
      assert.deepEqual(await repositories.dueImports(10), []);
      assert.equal((await repositories.find(ALICE))?.failures, 3);
    },
  ),

  inboundCase('what was imported is forgotten on demand', async ({ repositories }) => {
    await repositories.signedIn(ALICE, { importDue: false });
    const lease = (await repositories.leaseImport(ALICE, LONG))!;
    await repositories.endImport(lease, { rev: rev(1), collections, counts });
    await repositories.resetImport(ALICE);
    const { rev: at, importedAt, counts: kept, isOurs } = (await repositories.find(ALICE))!;
    assert.deepEqual([at, importedAt, kept, isOurs], [null, null, null, true]);
  }),
];

export const sourceCases = (span: number): InboundCase[] => [
  inboundCase('a source that was never read has no position', async ({ sources }) => {
    assert.deepEqual(await sources.cursor('s'), { cursor: null, at: null });
  }),

  inboundCase('one process reads a source at a time', async ({ sources }) => {
    const all = await Promise.all([1, 2, 3, 4].map(() => sources.lease('s', LONG)));
    const [lease, ...others] = all.filter((one) => one !== null);
    assert.ok(lease);
    assert.equal(others.length, 0);
    assert.notEqual(await sources.lease('other', LONG), null);
    await sources.release(lease);
    assert.ok((await sources.lease('s', LONG))!.token > lease.token);
    assert.equal(await sources.extend(lease, LONG), false);
  }),

  inboundCase('a position is kept in the transaction of its batch', async ({ sources, transaction }) => {
    const lease = (await sources.lease('s', LONG))!;
    await transaction((runner) => sources.keep(lease, '42', runner));
    const { cursor, at } = await sources.cursor('s');
    assert.equal(cursor, '42');
    assert.ok(at && Math.abs(at.getTime() - Date.now()) < 60_000);
    await assert.rejects(
      transaction(async (runner) => {
        await sources.keep(lease, '43', runner);
        throw new Error('no');
      }),
      /no/,
    );
    assert.equal((await sources.cursor('s')).cursor, '42');
  }),

  inboundCase('a position is kept only with the lease', async ({ sources, transaction, pass }) => {
    const stale = (await sources.lease('s', span))!;
    await pass(span);
    // Its lease has ended, and no other process has taken it.
    await transaction((runner) => sources.keep(stale, '1', runner));
    assert.equal(await sources.extend(stale, span), true);
    await pass(span);
    const lease = (await sources.lease('s', LONG))!;
    assert.equal((await sources.cursor('s')).cursor, '1');
    await transaction((runner) => sources.keep(lease, '2', runner));
    await assert.rejects(
      transaction((runner) => sources.keep(stale, '3', runner)),
      { code: 'LEASE_LOST' },
    );
    await sources.release(stale);
    assert.equal(await sources.lease('s', LONG), null);
    assert.equal((await sources.cursor('s')).cursor, '2');
  }),
];
