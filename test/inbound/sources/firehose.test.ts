import { FirehoseSource } from '../../../lib/inbound/sources/firehose/firehose.js';
import { recordSourceContract } from '../../../lib/testing/index.js';
import { StandInRelay } from '../../support/inbound/stand-in-relay.js';
import { subjectOf } from '../../support/inbound/subject.js';
import { soonAgain } from '../../support/inbound/timing.js';
import { WritingAccount } from '../../support/inbound/writing-account.js';

describe('the firehose of a PDS', () => {
  test.each(recordSourceContract({ faults: [] }))('$name', async (one) => {
    await one.run(async () => {
      const writer = await WritingAccount.create();
      const source = new FirehoseSource({ service: writer.network.pdsUrl }, soonAgain);
      return subjectOf(writer, { [Symbol.asyncDispose]: async () => {} }, source);
    });
  });
});

describe('the firehose of a relay', () => {
  test.each(recordSourceContract({ accounts: false }))('$name', async (one) => {
    await one.run(async () => {
      const writer = await WritingAccount.create();
      const relay = await new StandInRelay(writer.network.pdsUrl).listen();
      const source = new FirehoseSource({ service: `ws://${relay.host}` }, soonAgain);
      return subjectOf(writer, relay, source);
    });
  });
});
