import assert from 'node:assert/strict';
import type { PendingChange } from '../../../../lib/pending/pending-entry.js';
import type { ContractCase } from '../contract-case.js';
import { aChange, contractCase, type Scene, settled } from './fixtures.js';

type Operation = PendingChange['operation'];

const byHand = (operation: Operation) => aChange('a', { trigger: operation, operation });
const auto = (operation: Operation, more: Partial<PendingChange> = {}) =>
  aChange('a', { operation, ...more });
const removal = auto('unpublish', { keepRecord: true, givenUp: true });

/** Requests by hand that stay, although their entity changes meanwhile. */
export const byHandCases = (): ContractCase[] => [
  contractCase('an entity to be published by hand is, although it changes', async (scene) => {
    for (const operation of ['publish', 'republish'] as const) {
      await scene.store.capture([byHand(operation)]);
      const { version } = await scene.entry('a');
      await scene.store.capture([auto('republish', { cid: 'bafya' })]);
      const entry = await scene.entry('a');
      assert.deepEqual([entry.trigger, entry.operation, entry.cid], [operation, operation, 'bafya']);
      assert.ok(entry.version > version, 'the version is raised all the same');
    }
  }),

  contractCase('an entity to be published by hand is not, once it is removed', async (scene) => {
    await scene.store.capture([byHand('publish')]);
    await scene.store.capture([removal]);
    const entry = await scene.entry('a');
    assert.deepEqual([entry.trigger, entry.operation, entry.keepRecord], ['auto', 'unpublish', true]);
  }),

  contractCase('an entity to be unpublished by hand is renewed if it changes', async (scene) => {
    await scene.store.capture([byHand('unpublish')]);
    for (const operation of ['republish', 'publish', 'unpublish'] as const) {
      await scene.store.capture([auto(operation)]);
      assert.deepEqual(await asked(scene), ['renew', 'unpublish']);
    }
  }),

  contractCase('an entity to be unpublished by hand is, although it is removed', async (scene) => {
    await scene.store.capture([byHand('unpublish')]);
    await scene.store.capture([removal]);
    assert.deepEqual(await asked(scene), ['unpublish', 'unpublish']);
    assert.equal((await scene.entry('a')).keepRecord, false);
  }),

  contractCase('a request by hand is withdrawn by hand', async (scene) => {
    await scene.store.capture([byHand('unpublish')]);
    await scene.store.capture([auto('republish')]);
    await scene.store.capture([byHand('republish')]);
    assert.deepEqual(await asked(scene), ['republish', 'republish']);
    await scene.store.capture([byHand('unpublish')]);
    assert.deepEqual(await asked(scene), ['unpublish', 'unpublish']);
  }),

  contractCase('a request by hand does not pass to another entity', async (scene) => {
    for (const operation of ['publish', 'unpublish'] as const) {
      await scene.store.capture([byHand(operation)]);
      await scene.store.capture([auto('republish', { entityId: 'another' })]);
      assert.deepEqual(await asked(scene), ['auto', 'republish']);
    }
  }),

  contractCase('a request by hand ends once it is settled', async (scene) => {
    await scene.store.capture([byHand('publish')]);
    const entry = await scene.entry('a');
    await scene.leased((lease) => scene.store.settle(lease, [settled(entry)]));
    await scene.store.capture([auto('republish')]);
    assert.deepEqual(await asked(scene), ['auto', 'republish']);
  }),

  contractCase('a finding of a reconciliation is not a request by hand', async (scene) => {
    await scene.store.capture([{ ...byHand('unpublish'), backfill: true }]);
    await scene.store.capture([auto('republish')]);
    assert.deepEqual(await asked(scene), ['auto', 'republish']);
  }),

  contractCase('a request by hand stays within one capture', async (scene) => {
    await scene.store.capture([byHand('publish'), auto('republish')]);
    assert.deepEqual(await asked(scene), ['publish', 'publish']);
    await scene.store.capture([byHand('unpublish'), auto('republish')]);
    assert.deepEqual(await asked(scene), ['renew', 'unpublish']);
  }),
];

async function asked(scene: Scene): Promise<string[]> {
  const { trigger, operation, sync } = await scene.entry('a');
  assert.equal(sync.operation, operation);
  return [trigger, operation];
}
