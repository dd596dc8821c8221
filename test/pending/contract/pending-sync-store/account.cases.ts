import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { aChange, ALICE, BOB, contractCase, PARK, uriOf } from './fixtures.js';

export const accountCases = (): ContractCase[] => [
  contractCase('at gives the entries of these addresses, and none for the others', async (scene) => {
    await scene.capture(aChange('a'), aChange('b'), aChange('c'), aChange('a', { did: BOB }));
    const found = await scene.store.at(ALICE, [uriOf('c'), uriOf('a'), uriOf('none')]);
    assert.deepEqual(found.map(({ sync }) => sync.uri).toSorted(), [uriOf('a'), uriOf('c')]);
    assert.deepEqual(await scene.store.at(ALICE, []), []);
  }),

  contractCase('at gives entries whatever they wait for', async (scene) => {
    await scene.capture(aChange('a'));
    await scene.store.park(ALICE, PARK);
    assert.equal(await scene.isPending('a'), true);
    await scene.store.unpark(ALICE, { retry: false });
    assert.equal(await scene.isPending('a'), true);
  }),

  contractCase('forDid gives the pending syncs of the account, oldest first', async (scene) => {
    await scene.capture(aChange('b'), aChange('a'), aChange('x', { did: BOB }), aChange('c'), aChange('b'));
    assert.deepEqual(
      (await scene.store.forDid(ALICE)).map(({ rkey }) => rkey),
      ['b', 'a', 'c'],
    );
    assert.deepEqual(await scene.store.forDid('did:plc:nobody'), []);
  }),

  contractCase('the pending syncs of a parked account can be read', async ({ store }) => {
    await store.capture([aChange('a')]);
    await store.park(ALICE, PARK);
    assert.equal((await store.forDid(ALICE)).length, 1);
    assert.equal(await store.hasForDid(ALICE), true);
  }),

  contractCase('countForDid and hasForDid tell what is pending', async ({ store }) => {
    assert.deepEqual([await store.countForDid(ALICE), await store.hasForDid(ALICE)], [0, false]);
    await store.capture([aChange('a'), aChange('b'), aChange('x', { did: BOB })]);
    assert.deepEqual([await store.countForDid(ALICE), await store.hasForDid(ALICE)], [2, true]);
    await store.removeForDid(ALICE);
    assert.deepEqual([await store.countForDid(ALICE), await store.hasForDid(ALICE)], [0, false]);
  }),

  contractCase('find gives the pending sync of an id, or null', async ({ store }) => {
    await store.capture([aChange('a')]);
    const [sync] = await store.forDid(ALICE);
    assert.deepEqual(await store.find(uriOf('a')), sync);
    assert.equal(await store.find(uriOf('b')), null);
    assert.equal(await store.find('no id of ours'), null);
  }),

  contractCase('remove tells whether there was one', async ({ store }) => {
    await store.capture([aChange('a'), aChange('b')]);
    assert.equal(await store.remove(uriOf('a')), true);
    assert.equal(await store.remove(uriOf('a')), false);
    assert.equal(await store.remove('no id of ours'), false);
    assert.deepEqual(
      (await store.forDid(ALICE)).map(({ rkey }) => rkey),
      ['b'],
    );
  }),

  contractCase('removeForDid removes all of one account, and counts them', async ({ store }) => {
    await store.capture([aChange('a'), aChange('b'), aChange('x', { did: BOB })]);
    assert.equal(await store.removeForDid(ALICE), 2);
    assert.equal(await store.removeForDid(ALICE), 0);
    assert.equal(await store.countForDid(BOB), 1);
  }),

  contractCase('a pending sync survives JSON', async ({ store }) => {
    await store.capture([aChange('a', { entityId: '{"a":1,"b":"ü\u{1F600}\'\\""}' })]);
    const [sync] = await store.forDid(ALICE);
    assert.deepEqual(JSON.parse(JSON.stringify(sync)), sync);
    assert.equal(sync?.entityId, '{"a":1,"b":"ü\u{1F600}\'\\""}');
  }),

  contractCase('changing a returned pending sync changes nothing in the store', async ({ store }) => {
    await store.capture([aChange('a')]);
    const [sync] = await store.forDid(ALICE);
    assert.ok(sync);
    Reflect.set(sync, 'attempts', 99);
    assert.equal((await store.find(sync.id))?.attempts, 0);
  }),
];
