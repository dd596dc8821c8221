import { TapSource } from '../../../lib/inbound/sources/tap/tap.js';
import { TapWebhook } from '../../../lib/inbound/sources/tap/tap-webhook.js';
import type { RecordSource } from '../../../lib/inbound/sources/record-source.js';
import { recordSourceContract, type RecordSourceSubject } from '../../../lib/testing/index.js';
import { PdsLog } from '../../support/inbound/pds-log.js';
import { StandInTap, TAP_PASSWORD } from '../../support/inbound/stand-in-tap.js';
import { subjectOf } from '../../support/inbound/subject.js';
import { soonAgain } from '../../support/inbound/timing.js';
import { WritingAccount } from '../../support/inbound/writing-account.js';

const adminPassword = TAP_PASSWORD;

async function subject(sourceOf: (service: StandInTap) => RecordSource): Promise<RecordSourceSubject> {
  const writer = await WritingAccount.create();
  const log = await PdsLog.start(writer.network.pdsUrl);
  const service = await new StandInTap(log).listen();
  const made = subjectOf(writer, service, sourceOf(service));
  return {
    ...made,
    [Symbol.asyncDispose]: async () => {
      await made[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
    },
  };
}

describe("Tap's websocket", () => {
  test.each(recordSourceContract({ faults: ['drop', 'close', 'garbage', 'flood'] }))('$name', async (one) => {
    await one.run(() =>
      subject(({ host }) => new TapSource({ url: `http://${host}`, adminPassword }, soonAgain)),
    );
  });
});

describe("Tap's webhook", () => {
  test.each(recordSourceContract({ faults: ['garbage'] }))('$name', async (one) => {
    await one.run(() =>
      subject((service) => {
        const source = new TapWebhook({ url: `http://${service.host}`, adminPassword }, soonAgain);
        service.webhook = (body, authorization) => source.handle(body, authorization);
        return source;
      }),
    );
  });
});
