import assert from 'node:assert/strict';
import type { AdmittedAddress, KnownAddress } from '../../../../lib/pending/inbound.ledger.js';
import { aChange, ALICE, BOB, leaseOf, LONG, settled, uriOf } from '../pending-sync-store/fixtures.js';
import {
  addressOf,
  admit,
  admitted,
  anIssue,
  inboundCase,
  known,
  rev,
  type InboundCase,
  type InboundSubject,
} from './fixtures.js';

/** Text that is hard to carry through JSON in JSON. */
const HARD = {
  text: 'a "quoted" \\ line\nbreak \u2028 \u{1F600} \u0000 null',
  $type: 'null',
  nested: { a: [null, 1.5, true] },
};

const entry = async ({ store }: InboundSubject, rkey: string) => {
  const [found] = await store.at(ALICE, [uriOf(rkey)]);
  assert.ok(found, `nothing is pending at ${rkey}`);
  return found;
};

const due = async ({ store }: InboundSubject, backlog = false): Promise<string[]> =>
  (await store.due(ALICE, { limit: 10, backlog })).map(({ sync }) => sync.rkey);

/** What was settled by a commit of ours. */
const publish = async (subject: InboundSubject, rkey: string, cid: string, at?: string): Promise<void> => {
  const { store } = subject;
  const lease = await leaseOf(store, ALICE, LONG);
  assert.ok(lease);
  const done = { ...settled(await entry(subject, rkey), cid), ...(at !== undefined && { rev: at }) };
  assert.equal(await store.settle(lease, [done]), true);
  await store.release(lease, { next: 'asleep', failures: 0 });
};

const expectKnown = async (
  subject: InboundSubject,
  rkey: string,
  expected: Partial<KnownAddress>,
): Promise<void> => {
  const found = await known(subject, rkey);
  assert.ok(found, `nothing is known of ${rkey}`);
  assert.deepEqual({ ...found, ...expected }, found);
};

export const ledgerCases = (): InboundCase[] => [
  inboundCase(
    'an address that nothing was learned of is neither known nor held',
    async ({ ledger, transaction }) => {
      const found = await transaction((runner) => ledger.at([addressOf('a')], runner));
      assert.deepEqual([found.known.size, found.held.size], [0, 0]);
      const none = await transaction((runner) => ledger.at([], runner));
      assert.equal(none.known.size, 0);
    },
  ),

  inboundCase('a new address is known as it was admitted, whatever its fields hold', async (subject) => {
    const plain = admitted('a');
    const full = admitted('b', {
      mapped: 'bafymapped',
      foreign: HARD,
      base: { ...HARD, other: 'x' },
      entityId: '',
    });
    const gone = admitted('c', { cid: null, rev: rev(2) });
    await admit(subject, plain, full, gone);
    for (const { address, entityName, entityId, cid, mapped, foreign, base, rev: at } of [plain, full, gone])
      await expectKnown(subject, address.rkey, {
        address,
        entityName,
        entityId,
        cid,
        mapped,
        foreign,
        base,
        rev: at,
        isDirty: false,
        isLeaving: false,
        inConflict: false,
      });
    assert.deepEqual(await due(subject), []);
    assert.equal(await subject.store.countForDid(ALICE), 0);
  }),

  inboundCase('a local change is known as dirty, with its time', async (subject) => {
    const before = Date.now();
    await subject.store.capture([
      aChange('a', { cid: 'bafyours' }),
      aChange('b', { operation: 'unpublish' }),
    ]);
    await expectKnown(subject, 'a', {
      isDirty: true,
      isLeaving: false,
      cid: 'bafyours',
      rev: null,
      entityName: 'Post',
    });
    await expectKnown(subject, 'b', { isDirty: true, isLeaving: true });
    const { changedAt } = (await known(subject, 'a'))!;
    assert.ok(Math.abs(changedAt - before) < 60_000, `${changedAt} is not ${before}`);
  }),

  inboundCase(
    '`clean` drops a local change, and an attempt that had begun settles nothing',
    async (subject) => {
      const { store } = subject;
      await store.capture([aChange('a', { cid: 'bafyours', operation: 'unpublish', givenUp: true })]);
      const lease = await leaseOf(store, ALICE, LONG);
      assert.ok(lease);
      const begun = await entry(subject, 'a');
      await admit(subject, admitted('a', { rev: rev(5), entityId: '7', foreign: { tag: 1 } }));
      assert.deepEqual(await store.at(ALICE, [uriOf('a')]), []);
      await store.settle(lease, [{ ...settled(begun, 'bafyold'), rev: rev(4) }, settled(begun, 'bafyold')]);
      await expectKnown(subject, 'a', {
        isDirty: false,
        cid: 'bafyremote',
        rev: rev(5),
        entityId: '7',
        foreign: { tag: 1 },
      });
      await store.release(lease, { next: 'asleep', failures: 0 });
    },
  ),

  inboundCase('what is `clean` asks for nothing when its entity is captured unchanged', async (subject) => {
    const { store } = subject;
    await admit(subject, admitted('a'));
    await store.capture([aChange('a', { cid: 'bafyremote', unlessSettled: true })]);
    await store.capture([aChange('b')]);
    await admit(subject, admitted('b', { cid: 'bafyremote' }));
    await store.capture([aChange('b', { cid: 'bafyremote' })]);
    assert.equal((await entry(subject, 'b')).operation, 'publish');
  }),

  inboundCase('`seen` moves the revision, and nothing else', async (subject) => {
    await subject.store.capture([aChange('a', { cid: 'bafyours' })]);
    const { version } = await entry(subject, 'a');
    await admit(subject, admitted('a', { outcome: 'seen', rev: rev(3), cid: null, entityId: 'x' }));
    await expectKnown(subject, 'a', { isDirty: true, cid: 'bafyours', rev: rev(3), entityId: 'a' });
    assert.equal((await entry(subject, 'a')).version, version);
    await publish(subject, 'a', 'bafynext', rev(2));
    await expectKnown(subject, 'a', { isDirty: false, cid: 'bafynext', rev: rev(3) });
  }),

  inboundCase('a revision never goes back', async (subject) => {
    await admit(subject, admitted('a', { rev: rev(5) }));
    for (const outcome of ['seen', 'dirty', 'conflict', 'clean'] as const) {
      await admit(subject, admitted('a', { outcome, rev: rev(4) }));
      await expectKnown(subject, 'a', { rev: rev(5) });
    }
    await subject.store.capture([aChange('a')]);
    await publish(subject, 'a', 'bafynext');
    await expectKnown(subject, 'a', { rev: rev(5), cid: 'bafynext' });
  }),

  inboundCase(
    '`dirty` goes on with the local change on top of the record, with all attempts',
    async (subject) => {
      const { store } = subject;
      await store.capture([aChange('a', { cid: 'bafyours' })]);
      const lease = await leaseOf(store, ALICE, LONG);
      assert.ok(lease);
      const { sync, version } = await entry(subject, 'a');
      await store.failed(lease, [
        { uri: sync.uri, version, error: 'no', countsAttempt: true, needsSession: false },
      ]);
      await store.release(lease, { next: 'asleep', failures: 0 });
      assert.deepEqual(await due(subject), []);
      await admit(
        subject,
        admitted('a', {
          outcome: 'dirty',
          rev: rev(2),
          cid: 'bafytheirs',
          mapped: 'x',
          foreign: { tag: 1 },
          base: { text: 'b' },
        }),
      );
      assert.deepEqual(await due(subject), ['a']);
      const now = await entry(subject, 'a');
      assert.ok(now.version > version);
      assert.deepEqual(
        [now.cid, now.mapped, now.foreign, now.sync.attempts],
        ['bafytheirs', null, { tag: 1 }, 0],
      );
      await expectKnown(subject, 'a', { base: { text: 'b' }, entityId: 'a' });
    },
  ),

  inboundCase('`dirty` makes a pending sync of a dead letter again', async (subject) => {
    const { store } = subject;
    await store.capture([aChange('a')]);
    const lease = await leaseOf(store, ALICE, LONG);
    assert.ok(lease);
    await store.discard(lease, [{ entry: await entry(subject, 'a'), reason: 'no' }]);
    await store.release(lease, { next: 'asleep', failures: 0 });
    await expectKnown(subject, 'a', { isDirty: true });
    await admit(subject, admitted('a', { outcome: 'dirty' }));
    assert.equal((await store.deadLetters.list()).letters.length, 0);
    assert.deepEqual(await due(subject), ['a']);
  }),

  inboundCase(
    'an entry in conflict is not due, not by hand either, until the conflict is resolved',
    async (subject) => {
      const { store } = subject;
      await store.capture([aChange('a'), aChange('b')]);
      await admit(subject, admitted('a', { outcome: 'conflict', rev: rev(2) }));
      assert.deepEqual(await due(subject), ['b']);
      assert.deepEqual(await due(subject, true), ['b']);
      assert.equal((await entry(subject, 'a')).inConflict, true);
      assert.equal((await store.inspect(uriOf('a')))?.inConflict, true);
      assert.equal((await store.inspect(uriOf('b')))?.inConflict, false);
      await expectKnown(subject, 'a', { inConflict: true, isDirty: true, rev: rev(2) });
      await admit(subject, admitted('a', { outcome: 'dirty', rev: rev(2) }));
      assert.deepEqual((await due(subject)).toSorted(), ['a', 'b']);
      await expectKnown(subject, 'a', { inConflict: false });
    },
  ),

  inboundCase('a lane with nothing but conflicts is neither ready nor swept', async (subject) => {
    const { store } = subject;
    await store.capture([aChange('a')]);
    await admit(subject, admitted('a', { outcome: 'conflict' }));
    await store.wake(ALICE);
    assert.deepEqual(await store.readyLanes(10), []);
    await subject.pass(20);
    assert.equal(await store.sweep(0), 0);
    await admit(subject, admitted('a', { outcome: 'dirty' }));
    await subject.pass(20);
    assert.equal(await store.sweep(0), 1);
    assert.deepEqual(await store.readyLanes(10), [ALICE]);
  }),

  inboundCase('a further capture leaves what was learned of the record', async (subject) => {
    await admit(
      subject,
      admitted('a', { mapped: 'bafymapped', foreign: { tag: 1 }, base: { text: 'b' }, rev: rev(3) }),
    );
    await subject.store.capture([aChange('a')]);
    await admit(subject, admitted('a', { outcome: 'conflict', rev: rev(3) }));
    await subject.store.capture([aChange('a', { cid: 'bafyremote' })]);
    const { mapped, foreign, inConflict } = await entry(subject, 'a');
    assert.deepEqual([mapped, foreign, inConflict], ['bafymapped', { tag: 1 }, true]);
    await expectKnown(subject, 'a', { base: { text: 'b' }, rev: rev(3), inConflict: true });
  }),

  inboundCase(
    'a commit of ours is settled with its revision, and keeps the fields of others',
    async (subject) => {
      await admit(subject, admitted('a', { mapped: 'bafymapped', foreign: { tag: 1 }, base: { text: 'b' } }));
      await subject.store.capture([aChange('a')]);
      await publish(subject, 'a', 'bafynext', rev(9));
      await expectKnown(subject, 'a', {
        rev: rev(9),
        cid: 'bafynext',
        mapped: null,
        foreign: { tag: 1 },
        base: { text: 'b' },
        isDirty: false,
      });
    },
  ),

  inboundCase(
    'a settlement without a revision leaves what the mapper makes of the record',
    async (subject) => {
      await admit(subject, admitted('a', { mapped: 'bafymapped' }));
      await subject.store.capture([aChange('a')]);
      await publish(subject, 'a', 'bafyremote');
      await expectKnown(subject, 'a', { mapped: 'bafymapped', rev: rev(1) });
    },
  ),

  inboundCase(
    'a settled base replaces the one before, and a settled delete leaves nothing of the record',
    async (subject) => {
      const { store } = subject;
      await admit(subject, admitted('a', { foreign: { tag: 1 }, base: { text: 'b' } }));
      await store.capture([aChange('a')]);
      const lease = await leaseOf(store, ALICE, LONG);
      assert.ok(lease);
      await store.settle(lease, [
        { ...settled(await entry(subject, 'a'), 'bafynext'), rev: rev(2), base: HARD },
      ]);
      await expectKnown(subject, 'a', { base: HARD, foreign: { tag: 1 } });
      await store.capture([aChange('a', { operation: 'unpublish' })]);
      await store.settle(lease, [{ ...settled(await entry(subject, 'a'), null), rev: rev(3) }]);
      await expectKnown(subject, 'a', { base: null, foreign: null, cid: null, rev: rev(3), isDirty: false });
      await store.release(lease, { next: 'asleep', failures: 0 });
    },
  ),

  inboundCase('an admission that is rolled back leaves nothing', async (subject) => {
    await subject.store.capture([aChange('a')]);
    await assert.rejects(
      subject.transaction(async (runner) => {
        await subject.ledger.at([addressOf('a')], runner);
        await subject.ledger.admit([admitted('a', { isNew: false }), admitted('b')], runner);
        throw new Error('no');
      }),
      /no/,
    );
    assert.equal(await known(subject, 'b'), undefined);
    await expectKnown(subject, 'a', { isDirty: true, rev: null });
  }),

  inboundCase('a row that is new to its caller and exists is not written', async (subject) => {
    await subject.store.capture([aChange('a')]);
    await assert.rejects(
      subject.transaction((runner) => subject.ledger.admit([admitted('a'), admitted('b')], runner)),
      { code: 'RETRY_LATER' },
    );
    await expectKnown(subject, 'a', { isDirty: true, rev: null });
  }),

  inboundCase(
    'thousands of addresses are admitted in one call, megabytes of records too',
    async (subject) => {
      const text = 'x'.repeat(20_000);
      const many = (rest: Partial<AdmittedAddress>) =>
        Array.from({ length: 1_000 }, (_, index) =>
          admitted(`r${index}`, { ...rest, base: index < 500 ? { text } : null }),
        );
      await admit(subject, ...many({}));
      await admit(subject, ...many({ rev: rev(2), outcome: 'seen' }));
      await expectKnown(subject, 'r999', { rev: rev(2) });
      await expectKnown(subject, 'r1', { rev: rev(2), base: { text } });
    },
  ),

  inboundCase('what is in flight is known by its CIDs', async (subject) => {
    const { ledger, transaction, store } = subject;
    await store.wake(BOB);
    await subject.remember(
      ALICE,
      { [uriOf('a')]: 'bafy1', [uriOf('b')]: null },
      { [uriOf('a')]: ['bafy0'], [uriOf('c')]: ['bafy2'] },
    );
    const found = await transaction((runner) => ledger.inFlight([ALICE, BOB, 'did:plc:unknown'], runner));
    assert.deepEqual(Object.fromEntries([...found].map(([uri, cids]) => [uri, [...cids].toSorted()])), {
      [uriOf('a')]: ['bafy0', 'bafy1'],
      [uriOf('b')]: [null],
      [uriOf('c')]: ['bafy2'],
    });
    assert.equal((await transaction((runner) => ledger.inFlight([], runner))).size, 0);
  }),

  inboundCase(
    'addresses come page by page, in the byte order of their keys, without tombstones',
    async (subject) => {
      const { ledger, store } = subject;
      await admit(
        subject,
        ...['B', 'a', 'c', '_'].map((rkey) => admitted(rkey)),
        admitted('gone', { cid: null }),
      );
      await admit(subject, admitted('x', { did: BOB }));
      await admit(
        subject,
        admitted('x', { address: { ...addressOf('x'), collection: 'com.example.other' } }),
      );
      await store.capture([aChange('b'), aChange('c'), aChange('dead')]);
      await store.remove(uriOf('dead'));
      const pages: string[][] = [];
      for (let after = ''; ;) {
        const page = await ledger.addresses(ALICE, 'com.example.post', { after, limit: 2 });
        if (page.length === 0) break;
        pages.push(page.map(({ address }) => address.rkey));
        after = page.at(-1)!.address.rkey;
      }
      assert.deepEqual(pages, [['B', '_'], ['a', 'b'], ['c']]);
      const [b] = await ledger.addresses(ALICE, 'com.example.post', { after: 'a', limit: 1 });
      assert.deepEqual([b?.isDirty, b?.cid], [true, null]);
    },
  ),

  inboundCase(
    'a record that the mapper did not want is not taken for one that an entity has left',
    async (subject) => {
      await admit(subject, admitted('a', { entityId: '' }), admitted('b'));
      const written = await subject.store.written('Post', { after: null, limit: 10 });
      assert.deepEqual(
        written.map(({ address }) => address.rkey),
        ['b'],
      );
    },
  ),

  inboundCase('there is one issue per address, and it can be removed', async (subject) => {
    const { ledger, transaction } = subject;
    await transaction((runner) => ledger.keepIssues([anIssue('a', { record: HARD }), anIssue('b')], runner));
    const conflict = anIssue('b', {
      kind: 'conflict',
      entityId: '7',
      local: HARD,
      cid: null,
      record: null,
      reason: 'no\0ne',
    });
    await subject.pass(5);
    await transaction((runner) => ledger.keepIssues([conflict], runner));
    const { createdAt, ...kept } = (await ledger.issue(addressOf('b')))!;
    assert.deepEqual(kept, { ...conflict, reason: 'none' });
    assert.ok(Math.abs(createdAt.getTime() - Date.now()) < 60_000);
    assert.deepEqual((await ledger.issue(addressOf('a')))?.record, HARD);
    await transaction((runner) => ledger.removeIssues([addressOf('a'), addressOf('none')], runner));
    assert.equal(await ledger.issue(addressOf('a')), null);
    await transaction((runner) => ledger.removeIssues([], runner));
    assert.notEqual(await ledger.issue(addressOf('b')), null);
  }),

  inboundCase('issues come oldest first, page by page, by kind and account', async (subject) => {
    const { ledger, transaction } = subject;
    for (const did of [ALICE, BOB])
      for (const rkeys of [['a', 'b'], ['c']]) {
        await transaction((runner) =>
          ledger.keepIssues(
            [
              ...rkeys.map((rkey) => anIssue(rkey, { did })),
              anIssue(`k${rkeys[0]}`, { did, kind: 'conflict' }),
            ],
            runner,
          ),
        );
        await subject.pass(5);
      }
    // Replaced by one of its kind, it keeps its place.
    await transaction((runner) => ledger.keepIssues([anIssue('a', { reason: 'again' })], runner));
    const all = async (did?: string): Promise<string[]> => {
      const found: string[] = [];
      for (let after; ;) {
        const page = await ledger.issues({ kind: 'rejected', did, after, limit: 2 });
        if (page.length === 0) return found;
        found.push(...page.map(({ address }) => `${address.did} ${address.rkey}`));
        after = page.at(-1);
      }
    };
    const of = (did: string): string[] => ['a', 'b', 'c'].map((rkey) => `${did} ${rkey}`);
    assert.deepEqual(await all(), [...of(ALICE), ...of(BOB)]);
    assert.deepEqual(await all(BOB), of(BOB));
    assert.equal((await ledger.issues({ kind: 'conflict', limit: 10 })).length, 4);
  }),
];
