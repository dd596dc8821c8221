import assert from 'node:assert/strict';
import type { OfferedChange } from '../../../../lib/pending/pending-entry.js';
import type { ContractCase } from '../contract-case.js';
import { aChange, ALICE, contractCase, type Scene, settled, uriOf } from './fixtures.js';

const CID = 'bafysettled';

/** A change that leaves the record as its row knows it, or an entity without one. */
const unchanged = (rkey: string, more: Partial<OfferedChange> = {}): OfferedChange => ({
  ...aChange(rkey, { operation: 'republish', cid: CID, ...more }),
  unlessSettled: true,
});

/** Of changes that a store may leave alone. One that keeps them all is right as well. */
export const unlessSettledCases = (): ContractCase[] => [
  contractCase('changes that may be left alone and are not returned are kept', async (scene) => {
    await settle(scene, 'a');
    const left = await scene.store.capture([
      unchanged('a'),
      aChange('b'),
      unchanged('c'),
      unchanged('d', { cid: null }),
    ]);
    for (const rkey of ['a', 'b', 'c', 'd'])
      assert.equal(
        await scene.isPending(rkey),
        !left.has(uriOf(rkey)),
        `${rkey} is not where it is said to be`,
      );
    assert.deepEqual(
      [...left].filter((uri) => uri !== uriOf('a') && uri !== uriOf('d')),
      [],
    );
  }),

  contractCase('a change of a pending address is kept, whatever was settled before', async (scene) => {
    await settle(scene, 'a');
    await scene.store.capture([aChange('a', { cid: CID })]);
    const { version } = await scene.entry('a');
    await isKept(scene, unchanged('a'));
    assert.ok((await scene.entry('a')).version > version, 'its version is raised');
  }),

  contractCase('a change is kept if something else was settled last', async (scene) => {
    await settle(scene, 'a');
    await isKept(scene, unchanged('a', { cid: 'bafyother' }));
  }),

  contractCase('a change is kept if the record was deleted last', async (scene) => {
    await settle(scene, 'a', { cid: null });
    await isKept(scene, unchanged('a'));
  }),

  contractCase('a change is kept if its address was never settled', async (scene) => {
    await isKept(scene, unchanged('a'));
  }),

  contractCase('a change for no record is kept if a record was to be written there', async (scene) => {
    await scene.store.capture([aChange('a'), aChange('b')]);
    const entry = await scene.entry('b');
    await scene.leased((lease) => scene.store.discard(lease, [{ entry, reason: 'refused' }]));
    await isKept(scene, unchanged('a', { cid: null }));
    await isKept(scene, unchanged('b', { cid: null }));
  }),

  contractCase('a change is kept if its address was settled as it is, without looking', async (scene) => {
    await settle(scene, 'a', { asIs: true });
    await isKept(scene, unchanged('a'));
  }),

  contractCase('a change of an address that was removed is kept', async (scene) => {
    await settle(scene, 'a');
    await scene.store.capture([aChange('a', { cid: CID })]);
    await scene.store.remove(uriOf('a'));
    await isKept(scene, unchanged('a'));
  }),

  contractCase('a change of an address of a removed account is kept', async (scene) => {
    await settle(scene, 'a');
    await scene.store.capture([aChange('a', { cid: CID })]);
    await scene.store.removeForDid(ALICE);
    await isKept(scene, unchanged('a'));
  }),

  contractCase('a change of a discarded address is kept', async (scene) => {
    await settle(scene, 'a');
    await scene.store.capture([aChange('a', { cid: CID })]);
    const entry = await scene.entry('a');
    await scene.leased((lease) => scene.store.discard(lease, [{ entry, reason: 'refused' }]));
    await isKept(scene, unchanged('a'));
  }),

  contractCase('a change of another claimant is kept', async (scene) => {
    await settle(scene, 'a');
    await isKept(scene, unchanged('a', { entityId: 'another' }));
    assert.equal((await scene.entry('a')).entityId, 'another');
  }),

  contractCase('a change is kept if the same capture has another change of its address', async (scene) => {
    await settle(scene, 'a');
    assert.deepEqual([...(await scene.store.capture([aChange('a'), unchanged('a')]))], []);
    assert.ok(await scene.isPending('a'));
  }),
];

async function settle(
  scene: Scene,
  rkey: string,
  how: { cid?: string | null; asIs?: boolean } = {},
): Promise<void> {
  await scene.store.capture([aChange(rkey, { cid: CID })]);
  const entry = await scene.entry(rkey);
  const { cid = CID, asIs = false } = how;
  await scene.leased((lease) => scene.store.settle(lease, [{ ...settled(entry, cid), asIs }]));
}

async function isKept(scene: Scene, change: OfferedChange): Promise<void> {
  assert.deepEqual([...(await scene.store.capture([change]))], []);
  assert.ok(await scene.isPending(change.address.rkey), 'it was left alone');
}
