import { ok } from 'node:assert/strict';
import { Reading } from './reading.js';
import type { RecordSourceCase, SourceFault } from './record-source-subject.js';

/** What a source does when its service misbehaves. */
export const faultCases = (faults: readonly SourceFault[]): RecordSourceCase[] =>
  cases.flatMap(({ fault, ...one }) => (faults.includes(fault) ? [one] : []));

const cases: readonly (RecordSourceCase & { readonly fault: SourceFault })[] = [
  {
    fault: 'drop',
    name: 'connects again when its connection breaks, and tells what was written meanwhile',
    run: async (open) => {
      await using subject = await open();
      const reading = await Reading.started(subject);
      await reading.idle();
      await subject.drop?.();
      const { rev } = await subject.write('after', { $type: subject.collection });
      await reading.record(rev);
      await reading.stop();
    },
  },
  {
    fault: 'drop',
    name: 'goes on when its connection breaks while a batch is worked on',
    run: async (open) => {
      await using subject = await open();
      const reading = await Reading.started(subject);
      const first = await subject.write('first', { $type: subject.collection });
      await reading.record(first.rev);
      await subject.drop?.();
      const second = await subject.write('second', { $type: subject.collection });
      await reading.record(second.rev);
      await reading.stop();
    },
  },
  {
    fault: 'close',
    name: 'connects again when its connection is closed in good order',
    run: async (open) => {
      await using subject = await open();
      const reading = await Reading.started(subject);
      await subject.close?.();
      const { rev } = await subject.write('after', { $type: subject.collection });
      await reading.record(rev);
      await reading.stop();
    },
  },
  {
    fault: 'garbage',
    name: 'skips what it cannot read, with a reason, and goes on',
    run: async (open) => {
      await using subject = await open();
      const reasons: string[] = [];
      subject.source.onSkipped = (reason) => reasons.push(reason);
      const reading = await Reading.started(subject);
      await subject.garbage?.();
      const { rev } = await subject.write('after', { $type: subject.collection });
      await reading.record(rev);
      ok(
        reasons.length > 0 && reasons.every((reason) => typeof reason === 'string' && reason !== ''),
        'onSkipped is called with a reason',
      );
      await reading.stop();
    },
  },
  {
    fault: 'forget',
    name: 'tells a gap before it goes on where events may be missing',
    run: async (open) => {
      await using subject = await open();
      const reading = await Reading.started(subject);
      await subject.forget?.();
      await reading.find(({ kind }) => kind === 'gap', 'the gap');
      const { rev } = await subject.write('after', { $type: subject.collection });
      await reading.record(rev);
      await reading.stop();
    },
  },
  {
    fault: 'flood',
    name: 'makes the service wait while nothing is asked of it',
    run: async (open) => {
      await using subject = await open();
      const reading = await Reading.started(subject);
      ok(await subject.flood?.(), 'the source reads ahead without an end');
      const { rev } = await subject.write('after', { $type: subject.collection });
      await reading.record(rev);
      await reading.stop();
    },
  },
];
