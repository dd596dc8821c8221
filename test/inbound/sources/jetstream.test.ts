import { JetstreamSource } from '../../../lib/inbound/sources/jetstream/jetstream.js';
import { recordSourceContract } from '../../../lib/testing/index.js';
import { PdsLog } from '../../support/inbound/pds-log.js';
import { StandInJetstream } from '../../support/inbound/stand-in-jetstream.js';
import { subjectOf } from '../../support/inbound/subject.js';
import { soonAgain } from '../../support/inbound/timing.js';
import { WritingAccount } from '../../support/inbound/writing-account.js';

describe.each([1, 2] as const)('version %s of Jetstream', (version) => {
  // Version 1 has no word for a position that is too old; its gap is in jetstream-hosts.test.ts.
  const faults = (['drop', 'close', 'garbage', 'flood', 'forget'] as const).slice(0, version === 1 ? 4 : 5);

  test.each(recordSourceContract({ faults }))('$name', async (one) => {
    await one.run(async () => {
      const writer = await WritingAccount.create();
      const log = await PdsLog.start(writer.network.pdsUrl);
      const service = await new StandInJetstream(log, version).listen();
      const source = new JetstreamSource({ hosts: [`ws://${service.host}`], version }, soonAgain);
      const subject = subjectOf(writer, service, source);
      return {
        ...subject,
        [Symbol.asyncDispose]: async () => {
          await subject[Symbol.asyncDispose]();
          await log[Symbol.asyncDispose]();
        },
      };
    });
  });
});
