import { ADDRESS, change, entityThat, row, target, unpublished, URI, type Behaviour } from './fakes.js';
import type { Change } from '../../lib/sync/change.js';
import { targetOf } from '../../lib/sync/target.js';

const record = { kind: 'record', prepared: { cid: 'cid-new' } };
const other = `at://${ADDRESS.did}/${ADDRESS.collection}/3jui7kd54zh3z`;

describe('what should be at an address:', () => {
  it.each([
    ['the record of the entity that claims it', row(), {}, record],
    ['the record of an entity that has the key reserved', unpublished(), {}, record],
    ['nothing, when the row is gone', undefined, {}, { kind: 'absent' }],
    ['nothing, when the record has moved to another address', row({ atpUri: other }), {}, { kind: 'absent' }],
    ['nothing, when it is unpublished by hand', row(), { trigger: 'unpublish' }, { kind: 'absent' }],
    ['nothing, when it is published anew after that', row(), { trigger: 'renew' }, { kind: 'absent' }],
    ['the record at once, where its key is fixed', row(), { trigger: 'renew', hasFixedRkey: true }, record],
    ['nothing, when the entity is soft-deleted', row(), { softDeleted: true }, { kind: 'absent' }],
    [
      'nothing, when it is no longer eligible and does not keep',
      row(),
      { eligible: false, whenNotEligible: 'unpublish' },
      { kind: 'absent' },
    ],
    [
      'whatever is there, when it is no longer eligible and keeps',
      row(),
      { eligible: false },
      { kind: 'as-is' },
    ],
    [
      'whatever is there, when shouldAutoUnsync() kept it',
      undefined,
      { keepRecord: true },
      { kind: 'as-is' },
    ],
    [
      'whatever is there, when a soft-deleted entity keeps it',
      row(),
      { softDeleted: true, unsyncs: false },
      { kind: 'as-is' },
    ],
    [
      'the record, by hand, though the entity is not eligible',
      row(),
      { trigger: 'publish', eligible: false },
      record,
    ],
    [
      'the record, by hand, though the entity is soft-deleted',
      row(),
      { trigger: 'republish', softDeleted: true },
      record,
    ],
    ['the record, by hand, in whatever account was named', unpublished(), { trigger: 'publish' }, record],
  ] as const)('%s', async (_rule, entity, fields, desired) => {
    const { trigger = 'auto', keepRecord = false, ...behaviour }: Partial<Change & Behaviour> = fields;
    const asked = { entity: entityThat(behaviour), trigger, keepRecord };
    expect((await target(entity, asked)).desired).toMatchObject(desired);
  });

  it('is not known when the mapper throws: the change fails with its error', async () => {
    const error = new Error('no such language');
    const toRecord = () => {
      throw error;
    };
    expect((await target(row(), { entity: entityThat({ toRecord }) })).desired).toEqual({
      kind: 'failed',
      error,
    });
  });
});

describe('a change whose key was renewed while it waited', () => {
  const renewed = unpublished({ atpRkey: '3jui7kd54zh3z' });
  const there = { ...ADDRESS, rkey: '3jui7kd54zh3z' };
  const another = { ...ADDRESS, did: 'did:plc:44ybard66vv44zksje25o7dz' };

  it.each([
    ['goes on at the new address', {}, there],
    ['goes on there once the old record was unpublished by hand', { trigger: 'renew' }, there],
    [
      'by hand stays in the account that was named',
      { trigger: 'publish', address: another },
      { ...there, did: another.did },
    ],
  ] as const)('%s', async (_rule, fields, address) => {
    const { desired, elsewhere } = await target(renewed, fields);
    expect(desired.kind).toBe('absent');
    expect(elsewhere).toMatchObject({ address, operation: 'publish', cid: null });
  });

  it('is settled without a request when it was to delete the record', async () => {
    expect((await target(renewed, { trigger: 'unpublish' })).elsewhere).toBeUndefined();
    expect((await target(renewed, { operation: 'unpublish', givenUp: true })).elsewhere).toBeUndefined();
  });
});

describe('the record that is known at an address is', () => {
  it('the record that the row names, for the address of the row', async () =>
    expect((await target(row())).known).toBe('cid-old'));
  it('no record, for an entity that has none', async () =>
    expect((await target(unpublished())).known).toBeNull());
  it('the record that the change remembers, once the row is gone', async () =>
    expect((await target(undefined, { cid: 'cid-gone' })).known).toBe('cid-gone'));
  it('the record that this run has written, although no row names it', async () =>
    expect((await targetOf(change(), unpublished(), 'cid-written')).known).toBe('cid-written'));
  it('not the record that the row names at another address', async () => {
    const moved = await target(row({ atpUri: other }));
    expect([moved.uri, moved.claimed, moved.known]).toEqual([URI, false, null]);
  });
});
