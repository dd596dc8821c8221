import { InvalidRecordError, PdsUnavailableError, SyncResult } from 'nestjs-parity';
import { ParityEvents } from '../../lib/events/parity-events.js';
import { failedOutcome, outcomeWithoutWrite, settledOutcome } from '../../lib/sync/outcome.js';
import { resultInHand } from '../../lib/sync/unchanged.js';
import { ADDRESS, change, entityThat, row, target, unpublished, URI } from './fakes.js';

function recorded() {
  const emitted: object[] = [];
  const events = new ParityEvents(
    { listenersAny: () => [], listeners: () => [(event: object) => void emitted.push(event)] },
    () => undefined,
  );
  return { emitted, events };
}

describe('the result of a sync', () => {
  it.each([
    ['published', true, false],
    ['unchanged', true, false],
    ['unpublished', true, false],
    ['skipped', true, false],
    ['pending', false, false],
    ['failed', false, true],
  ] as const)("'%s' is a success: %p, a failure: %p", (status, success, failed) => {
    const result = new SyncResult(status);
    expect([result.isSuccess(), result.isFailed()]).toEqual([success, failed]);
  });

  it('has the message of its error as its reason, unless it has one of its own', () => {
    const error = new Error('why');
    expect(new SyncResult('failed', { error })).toMatchObject({ error, reason: 'why' });
    expect(new SyncResult('failed', { error, reason: 'because' }).reason).toBe('because');
  });
});

describe('without a request', () => {
  it.each([
    [
      'an entity that is not eligible is skipped',
      row(),
      { entity: entityThat({ eligible: false }) },
      'skipped',
    ],
    ['a record that is right is unchanged', row({ wanted: 'cid-old' }), {}, 'unchanged'],
    ['a record that never was is unchanged', unpublished(), { trigger: 'unpublish' }, 'unchanged'],
  ] as const)('%s', async (_rule, entity, fields, status) => {
    expect(outcomeWithoutWrite(await target(entity, fields), false)?.result.status).toBe(status);
  });

  it('nothing is concluded while an earlier request may have landed', async () => {
    expect(outcomeWithoutWrite(await target(row({ wanted: 'cid-old' })), true)).toBeNull();
    expect(outcomeWithoutWrite(await target(unpublished(), { trigger: 'unpublish' }), true)).toBeNull();
  });

  it('the result in hand is computed from the complete instance, and shown on a partial one', async () => {
    const instance = unpublished();
    const snapshot = row({ wanted: 'cid-old' });
    expect((await resultInHand(change({ snapshot, instance })))?.status).toBe('unchanged');
    expect(instance.atpUri).toBe(URI);
    expect(
      (await resultInHand(change({ snapshot, isRow: true, entity: entityThat({ eligible: false }) })))
        ?.status,
    ).toBe('skipped');
    expect(await resultInHand(change({ snapshot: row() }))).toBeNull();
    expect(await resultInHand(change({ snapshot, trigger: 'publish' }))).toBeNull();
  });
});

describe('what is settled is told:', () => {
  it.each([
    [
      'a record that was created',
      unpublished(),
      {},
      'create',
      'published',
      { operation: 'create', uri: URI, cid: 'cid-new' },
    ],
    ['a record that was updated', row(), {}, 'update', 'published', { operation: 'update' }],
    [
      'a record that an earlier request had created',
      unpublished(),
      {},
      undefined,
      'published',
      { operation: 'create' },
    ],
    [
      'a record that was deleted',
      row(),
      { trigger: 'unpublish' },
      'delete',
      'unpublished',
      { uri: URI, did: ADDRESS.did },
    ],
    [
      'a record that was gone already',
      row(),
      { trigger: 'unpublish' },
      undefined,
      'unpublished',
      { uri: URI },
    ],
  ] as const)('%s', async (_what, entity, fields, action, status, event) => {
    const { emitted, events } = recorded();
    const outcome = settledOutcome(await target(entity, fields), action, events);
    expect(outcome.result.status).toBe(status);
    expect(emitted).toEqual([
      expect.objectContaining({ ...event, entityName: 'Row', entityId: '1', entity }),
    ]);
  });

  it('a record that was right all along is told by no event', async () => {
    const { emitted, events } = recorded();
    expect(settledOutcome(await target(row({ wanted: 'cid-old' })), undefined, events).result.status).toBe(
      'unchanged',
    );
    expect(settledOutcome(await target(undefined), undefined, events).result.status).toBe('unchanged');
    expect(emitted).toEqual([]);
  });
});

describe('an error', () => {
  it('names the entity and the address that it is about', () => {
    const { result, entity } = failedOutcome(change(), new InvalidRecordError('too long'), row());
    expect(result.error).toMatchObject({ did: ADDRESS.did, uri: URI, entityName: 'Row', entityId: '1' });
    expect(entity).toBeInstanceOf(Object);
  });

  it('names no entity and no address when several changes share it', () => {
    const error = new PdsUnavailableError('away');
    for (const entityId of ['1', '2']) failedOutcome(change({ entityId }), error, undefined, true);
    const { did, uri, entityName, entityId } = error;
    expect({ did, uri, entityName, entityId }).toEqual({ did: ADDRESS.did });
  });
});
