import { TapWebhook } from '../../../lib/inbound/sources/tap/tap-webhook.js';
import { Listener } from '../../support/inbound/listener.js';
import { soonAgain } from '../../support/inbound/timing.js';
import { until } from '../../support/until.js';

const did = 'did:plc:someone';
const collection = 'com.example.note';
const authorization = `Basic ${Buffer.from('admin:secret').toString('base64')}`;

const deletion = (rkey: string) => ({
  id: 1,
  type: 'record',
  record: { did, rev: '3a', collection, rkey, action: 'delete', live: true },
});

describe("an event of Tap's webhook", () => {
  let source: TapWebhook;

  beforeEach(() => {
    source = new TapWebhook({ adminPassword: 'secret' }, soonAgain);
  });

  const open = (signal: AbortSignal) =>
    source.open({ cursor: null, accounts: null, collections: [collection], signal });

  test.each([undefined, '', 'Basic', authorization.toLowerCase(), `Basic ${btoa('admin:wrong')}`])(
    'is refused with the authorization %s',
    async (wrong) => {
      await expect(source.handle(deletion('a'), wrong)).rejects.toMatchObject({
        code: 'WEBHOOK_REFUSED',
        status: 401,
      });
    },
  );

  test('is refused while nothing follows the source', async () => {
    await expect(source.handle(deletion('a'), authorization)).rejects.toMatchObject({ status: 503 });
  });

  test('is answered once the next batch is asked for', async () => {
    const ending = new AbortController();
    const batches = open(ending.signal);
    await batches.next(); // says that the source is open
    const first = batches.next();
    let isAnswered = false;
    const answer = source.handle(deletion('a'), authorization).then(() => (isAnswered = true));
    expect((await first).value?.events).toMatchObject([{ kind: 'record', rkey: 'a', cid: null }]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isAnswered).toBe(false);

    const second = batches.next();
    await answer;
    ending.abort();
    await expect(second).resolves.toMatchObject({ done: true });
  });

  test('is refused where its batch is given up', async () => {
    const batches = open(new AbortController().signal);
    await batches.next(); // says that the source is open
    const first = batches.next();
    const answer = source.handle(deletion('a'), authorization).catch((error: unknown) => error);
    await first;
    await batches.return();

    expect(await answer).toMatchObject({ code: 'WEBHOOK_REFUSED', status: 503 });
  });

  test('is refused where too many wait', async () => {
    const ending = new AbortController();
    const batches = open(ending.signal);
    await batches.next(); // says that the source is open
    const first = batches.next();
    const refused: unknown[] = [];
    const answers = Array.from({ length: 2_000 }, () =>
      source.handle(deletion('a'), authorization).catch((error: unknown) => refused.push(error)),
    );
    await first;
    await until(() => refused.length > 0);
    await batches.return();
    await Promise.all(answers);

    expect(refused).toHaveLength(2_000);
  });

  test.each([
    ['no JSON'],
    [null],
    [[]],
    [{}],
    [{ id: 1, type: 'unknown' }],
    ['{"id":1}'],
    [Buffer.from('[]')],
  ])('is skipped, and answered, where it is %j', async (body) => {
    await using listener = new Listener(source);
    await source.handle(body, authorization);

    expect(listener.skipped).toHaveLength(1);
    expect(listener.told).toEqual([]);
  });

  test('may be the text of its JSON', async () => {
    await using listener = new Listener(source);
    await source.handle(JSON.stringify(deletion('a')), authorization);

    expect(listener.told).toEqual(['record a deleted']);
  });
});
