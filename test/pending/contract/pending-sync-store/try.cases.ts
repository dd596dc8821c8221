import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { aChange, ALICE, contractCase, failedTry, type Scene, settled, uriOf } from './fixtures.js';

export const tryCases = (span: number): ContractCase[] => [
  contractCase('a settled entry is no longer pending', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    const entry = await scene.entry('a');
    assert.equal(await scene.leased((lease) => scene.store.settle(lease, [settled(entry)])), true);
    assert.deepEqual(await scene.due({ backlog: true }), ['b']);
    assert.equal(await scene.store.find(uriOf('a')), null);
    assert.equal(await scene.store.countForDid(ALICE), 1);
  }),

  contractCase('settle leaves an entry whose version has moved', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    const [a, b] = [await scene.entry('a'), await scene.entry('b')];
    await scene.leased(async (lease) => {
      await scene.store.capture([aChange('a')]);
      assert.equal(await scene.store.settle(lease, [settled(a), settled(b, null)]), true);
    });
    assert.deepEqual(await scene.due(), ['a']);
  }),

  contractCase('a capture while an attempt is settled is not lost', async (scene) => {
    for (let round = 0; round < 5; round++) {
      await scene.store.capture([aChange('a')]);
      const entry = await scene.entry('a');
      await scene.leased((lease) =>
        Promise.all([scene.store.settle(lease, [settled(entry)]), scene.peer.capture([aChange('a')])]),
      );
      assert.equal(await scene.isPending('a'), true);
    }
  }),

  contractCase('settle takes addresses that are not pending', async (scene) => {
    const gone = { uri: uriOf('a'), version: 1, cid: null };
    assert.equal(await scene.leased((lease) => scene.store.settle(lease, [gone])), true);
    assert.equal(await scene.leased((lease) => scene.store.settle(lease, [])), true);
    assert.equal(await scene.isPending('a'), false);
  }),

  contractCase('settle is refused to a lease that another worker has taken over', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const entry = await scene.entry('a');
    const stale = await scene.staleLease(span);
    assert.equal(await scene.store.settle(stale, [settled(entry)]), false);
    assert.equal(await scene.isPending('a'), true);
  }),

  contractCase('settle is refused after the lane was given back', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const entry = await scene.entry('a');
    const lease = await scene.lease();
    await scene.release(lease);
    assert.equal(await scene.store.settle(lease, [settled(entry)]), false);
    assert.equal(await scene.isPending('a'), true);
  }),

  contractCase('a failed attempt is recorded, and counts if told', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const entry = await scene.entry('a');
    const failing = (error: string) =>
      scene.leased((lease) => scene.store.failed(lease, [failedTry(entry, { error })]));
    assert.equal(await failing('first'), true);
    await failing('second');
    const { sync, version } = await scene.entry('a');
    assert.deepEqual([sync.attempts, sync.lastError], [2, 'second']);
    assert.equal(version, entry.version);
    assert.deepEqual(await scene.due({ backlog: true }), ['a'], 'it is tried again');
  }),

  contractCase('an error is kept in readable form, up to 2000 characters', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const entry = await scene.entry('a');
    const error = `a\0b${'x'.repeat(3_000)}`;
    await scene.leased((lease) => scene.store.failed(lease, [failedTry(entry, { error })]));
    assert.equal((await scene.entry('a')).sync.lastError, `ab${'x'.repeat(1_998)}`);
  }),

  contractCase('a record that failed rests', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    await failOnce(scene, 'a');
    assert.deepEqual(await scene.due(), ['b']);
    assert.deepEqual(await scene.due({ backlog: true }), ['a', 'b']);
  }),

  contractCase('a record that failed no longer rests when it is captured again', async (scene) => {
    await scene.capture(aChange('a'));
    await failOnce(scene, 'a');
    await scene.capture(aChange('a'));
    assert.deepEqual(await scene.due(), ['a']);
  }),

  contractCase('a record that failed no longer rests after a sign-in', async (scene) => {
    await scene.capture(aChange('a'));
    await failOnce(scene, 'a');
    await scene.store.unpark(ALICE, { retry: true });
    assert.deepEqual(await scene.due(), ['a']);
    await failOnce(scene, 'a');
    assert.deepEqual(await scene.due(), []);
  }),

  contractCase('a failure that is not of the record does not prolong its rest', async (scene) => {
    await scene.capture(aChange('a'));
    const entry = await scene.entry('a');
    await scene.leased((lease) => scene.store.failed(lease, [failedTry(entry, { countsAttempt: false })]));
    assert.deepEqual(await scene.due(), ['a']);
  }),

  contractCase('a failed attempt does not count unless told', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const entry = await scene.entry('a');
    await scene.leased((lease) => scene.store.failed(lease, [failedTry(entry, { countsAttempt: false })]));
    const { sync } = await scene.entry('a');
    assert.deepEqual([sync.attempts, sync.lastError], [0, 'refused']);
  }),

  contractCase('a failed attempt leaves the count of an entry whose version has moved', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const entry = await scene.entry('a');
    await scene.leased(async (lease) => {
      await scene.store.capture([aChange('a')]);
      assert.equal(await scene.store.failed(lease, [failedTry(entry)]), true);
    });
    assert.equal((await scene.entry('a')).sync.attempts, 0);
  }),

  contractCase('a failed attempt is refused to a lease that another worker has taken over', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const entry = await scene.entry('a');
    const stale = await scene.staleLease(span);
    assert.equal(await scene.store.failed(stale, [failedTry(entry)]), false);
    const { sync } = await scene.entry('a');
    assert.deepEqual([sync.attempts, sync.lastError], [0, null]);
  }),

  contractCase('an entry that needs a session is not due before unpark', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    const entry = await scene.entry('a');
    await scene.leased((lease) =>
      scene.store.failed(lease, [failedTry(entry, { countsAttempt: false, needsSession: true })]),
    );
    assert.deepEqual(await scene.due({ backlog: true }), ['b']);
    assert.equal(await scene.isPending('a'), true);
    await scene.store.unpark(ALICE, { retry: true });
    assert.deepEqual(await scene.due(), ['a', 'b']);
  }),

  contractCase('an entry that needs a session is due again when it is captured again', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    const [a, b] = [await scene.entry('a'), await scene.entry('b')];
    await scene.leased(async (lease) => {
      await scene.store.capture([aChange('b', { operation: 'unpublish' })]);
      await scene.store.failed(lease, [
        failedTry(a, { needsSession: true }),
        failedTry(b, { needsSession: true }),
      ]);
    });
    assert.deepEqual(await scene.due(), ['b'], 'the version of b moved before its try failed');
    await scene.store.capture([aChange('a', { operation: 'unpublish' })]);
    assert.deepEqual(await scene.due(), ['a', 'b']);
  }),

  contractCase('discard gives entries up, and returns them', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    const entry = await scene.entry('a');
    const discarded = await scene.leased((lease) =>
      scene.store.discard(lease, [{ entry, reason: 'invalid' }]),
    );
    assert.deepEqual(discarded, [{ sync: entry.sync, reason: 'invalid' }]);
    assert.deepEqual(await scene.due({ backlog: true }), ['b']);
    assert.equal(await scene.store.countForDid(ALICE), 1);
    assert.equal(await scene.store.find(uriOf('a')), null);
  }),

  contractCase('discard leaves an entry whose version has moved', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'));
    const given = [await scene.entry('a'), await scene.entry('b')].map((entry) => ({
      entry,
      reason: 'invalid',
    }));
    await scene.store.capture([aChange('a')]);
    const discarded = await scene.leased((lease) => scene.store.discard(lease, given));
    assert.deepEqual(
      discarded.map(({ sync }) => sync.rkey),
      ['b'],
    );
    assert.deepEqual(await scene.due(), ['a']);
  }),

  contractCase('discard does not return an entry that is gone', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const given = [{ entry: await scene.entry('a'), reason: 'invalid' }];
    await scene.store.remove(uriOf('a'));
    assert.deepEqual(await scene.leased((lease) => scene.store.discard(lease, given)), []);
  }),

  contractCase('discard is refused to a lease that another worker has taken over', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const given = [{ entry: await scene.entry('a'), reason: 'invalid' }];
    const stale = await scene.staleLease(span);
    assert.deepEqual(await scene.store.discard(stale, given), []);
    assert.equal(await scene.isPending('a'), true);
  }),
];

async function failOnce(scene: Scene, rkey: string): Promise<void> {
  const entry = await scene.entry(rkey);
  await scene.leased((lease) => scene.store.failed(lease, [failedTry(entry)]));
  await scene.pass(2);
}
