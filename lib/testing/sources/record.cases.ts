import { deepEqual, equal } from 'node:assert/strict';
import { Reading } from './reading.js';
import type { RecordSourceCase } from './record-source-subject.js';
import { recordEvent } from './record-event.js';

/** What is told of records and accounts. */
export const recordCases = ({ accounts }: { readonly accounts: boolean }): RecordSourceCase[] => [
  {
    name: 'tells a record that is created, changed and deleted, with its revision, CID and JSON form',
    run: async (open) => {
      await using subject = await open();
      const { did, collection } = subject;
      const first = { ...aRecord(collection), text: 'first' };
      const second = { ...first, text: 'second ✓ \u{1F600}' };
      const reading = await Reading.started(subject);
      for (const record of [first, second, null]) {
        const { rev, cid } = await subject.write('one', record);
        const told = await reading.record(rev);
        deepEqual(told, {
          ...recordEvent({ did, collection, rkey: 'one', record, rev }),
          live: told.live,
        });
        equal(told.cid, cid);
      }
      await reading.stop();
    },
  },
  {
    name: 'tells the commits of an account in their order',
    run: async (open) => {
      await using subject = await open();
      const reading = await Reading.started(subject);
      const revs: string[] = [];
      for (let number = 1; number <= 20; number++) {
        const { rev } = await subject.write(`number-${number % 3}`, { $type: subject.collection, number });
        revs.push(rev);
      }
      await reading.record(revs.at(-1) ?? '');
      const told = reading.events.flatMap((event) => (event.kind === 'record' ? [event.rev] : []));
      deepEqual(
        [...new Set(told)].filter((rev) => revs.includes(rev)),
        revs,
      );
      await reading.stop();
    },
  },
  ...(accounts ? [accountCase] : []),
];

const accountCase: RecordSourceCase = {
  name: 'tells that an account is deactivated, and active again',
  run: async (open) => {
    await using subject = await open();
    const reading = await Reading.started(subject);
    await subject.setActive?.(false);
    await reading.find(
      (event) => event.kind === 'account' && event.did === subject.did && !event.active,
      'the deactivation',
    );
    await subject.setActive?.(true);
    await reading.find(
      (event) => event.kind === 'account' && event.did === subject.did && event.active,
      'the activation',
    );
    await reading.stop();
  },
};

const aRecord = (collection: string): Record<string, unknown> => ({
  $type: collection,
  link: { $link: 'bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a' },
  bytes: { $bytes: 'AAECAw' },
  list: [1, -1, 9007199254740991, null, true, { nested: [] }],
});
