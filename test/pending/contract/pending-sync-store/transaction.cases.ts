import assert from 'node:assert/strict';
import type { ContractCase, ContractSubject } from '../contract-case.js';
import { aChange, ALICE, contractCase, type Scene } from './fixtures.js';

/** Of stores that can join the entity's own transaction. */
export const transactionCases = (): ContractCase[] => [
  contractCase('a durable store says so', async ({ store }) => {
    assert.equal(store.durable, true);
  }),

  contractCase('a change captured in a transaction is there after its commit', async (scene) => {
    await transactionOf(scene)(async (runner) => {
      await scene.store.capture([aChange('a'), aChange('b')], runner);
    });
    assert.equal(await scene.store.countForDid(ALICE), 2);
    await scene.store.wake(ALICE);
    assert.deepEqual(await scene.store.readyLanes(10), [ALICE]);
  }),

  contractCase('a change captured in a transaction is gone after its rollback', async (scene) => {
    await rolledBack(scene, aChange('a'));
    assert.equal(await scene.store.hasForDid(ALICE), false);
  }),

  contractCase('a recapture that is rolled back leaves the entry as it was', async (scene) => {
    await scene.store.capture([aChange('a')]);
    const before = await scene.entry('a');
    await rolledBack(scene, aChange('a', { operation: 'unpublish', givenUp: true }));
    assert.deepEqual(await scene.entry('a'), before);
  }),
];

async function rolledBack(scene: Scene, change: ReturnType<typeof aChange>): Promise<void> {
  const failure = new Error('rolled back by the case');
  const work = transactionOf(scene)(async (runner) => {
    await scene.store.capture([change], runner);
    throw failure;
  });
  await assert.rejects(work, (error) => error === failure);
}

function transactionOf({ subject }: Scene): NonNullable<ContractSubject['transaction']> {
  assert.ok(subject.transaction, 'the subject of a durable store has to open transactions');
  return subject.transaction.bind(subject);
}
