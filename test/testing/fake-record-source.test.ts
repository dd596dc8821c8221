import { FakeRecordSource, recordEvent, recordSourceContract } from '../../lib/testing/index.js';
import { Listener } from '../support/inbound/listener.js';
import { until } from '../support/until.js';

const did = 'did:plc:someone';
const collection = 'com.example.note';

describe('the fake record source', () => {
  test.each(recordSourceContract({ faults: ['garbage', 'forget', 'flood'] }))('$name', async (one) => {
    await one.run(async () => {
      const source = new FakeRecordSource();
      return {
        source,
        did,
        collection,
        write: async (rkey, record) => {
          const event = recordEvent({ did, collection, rkey, record });
          void source.push(event);
          return event.kind === 'record' ? event : { rev: '', cid: null };
        },
        setActive: async (active) => void source.push({ kind: 'account', did, active }),
        garbage: () => void source.garbage(),
        forget: () => void source.gap(),
        flood: async () => {
          const answers: number[] = [];
          for (let push = 0; push < 100; push++)
            void source.push({ kind: 'identity', did }).then(() => answers.push(push));
          await new Promise((resolve) => setTimeout(resolve, 50));
          return answers.length === 0;
        },
        [Symbol.asyncDispose]: async () => {},
      };
    });
  });

  test('tells a push once its effects are committed', async () => {
    const source = new FakeRecordSource();
    await using listener = new Listener(source);
    await source.push(recordEvent({ did, collection, rkey: 'one', record: { $type: collection } }));

    expect(listener.told).toEqual(['record one']);
    expect(source.opened).toEqual([{ cursor: null, accounts: null, collections: [collection] }]);
  });

  test('ends, also with an error', async () => {
    const source = new FakeRecordSource();
    await using listener = new Listener(source);
    source.end(new Error('refused'));
    await until(() => listener.error !== null);

    expect(listener.error).toEqual(new Error('refused'));
  });
});
