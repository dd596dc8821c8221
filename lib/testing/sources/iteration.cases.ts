import { Reading } from './reading.js';
import type { RecordSourceCase } from './record-source-subject.js';

/** How an iteration begins, acknowledges and ends. */
export const iterationCases = (): RecordSourceCase[] => [
  {
    name: 'goes on after the last acknowledged batch when it is opened again',
    run: async (open) => {
      await using subject = await open();
      const before = await Reading.started(subject);
      await before.stop();
      const { rev } = await subject.write('meanwhile', { $type: subject.collection });
      const after = new Reading(subject, before.cursor);
      await after.record(rev);
      await after.stop();
    },
  },
  {
    name: 'tells a batch again that was not acknowledged',
    run: async (open) => {
      await using subject = await open();
      const before = await Reading.started(subject);
      const committed = before.cursor;
      const { rev } = await subject.write('one', { $type: subject.collection });
      await before.record(rev);
      await before.abandon();
      const after = new Reading(subject, committed);
      await after.record(rev);
      await after.stop();
    },
  },
  {
    name: 'ends at once when its signal aborts while it waits',
    run: async (open) => {
      await using subject = await open();
      const reading = await Reading.started(subject);
      await reading.stop();
    },
  },
  {
    name: 'ends when its signal aborts while a batch is worked on',
    run: async (open) => {
      await using subject = await open();
      const reading = await Reading.started(subject);
      await reading.end();
    },
  },
];
