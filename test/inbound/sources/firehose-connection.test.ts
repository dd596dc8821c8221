import { setTimeout as sleep } from 'node:timers/promises';
import { FirehoseSource } from '../../../lib/inbound/sources/firehose/firehose.js';
import { Listener } from '../../support/inbound/listener.js';
import { errorFrame, StandInRelay } from '../../support/inbound/stand-in-relay.js';
import { soonAgain } from '../../support/inbound/timing.js';
import { WritingAccount } from '../../support/inbound/writing-account.js';
import { until } from '../../support/until.js';

describe('the connection of the firehose', () => {
  let writer: WritingAccount;
  let relay: StandInRelay;
  let source: FirehoseSource;

  beforeEach(async () => {
    writer = await WritingAccount.create();
    relay = await new StandInRelay(writer.network.pdsUrl).listen();
    source = new FirehoseSource({ service: `ws://${relay.host}` }, soonAgain);
  });

  afterEach(() => relay[Symbol.asyncDispose]());

  const write = (rkey: string) => writer.write(rkey, { $type: writer.collection });

  async function started(): Promise<Listener> {
    const listener = new Listener(source, { accounts: [writer.did] });
    await until(() => relay.sockets.size > 0);
    await sleep(200);
    await write('first');
    await listener.until('record first');
    // The account itself is new, which is told, too.
    listener.events.length = 0;
    return listener;
  }

  test('tells a gap before the first event, if the connection broke before it', async () => {
    // Else the events that made the account may come first.
    relay.isStalled = true;
    await using listener = new Listener(source, { accounts: [writer.did] });
    await until(() => relay.sockets.size > 0);
    expect(listener.told).toEqual([]);
    relay.drop();
    relay.isStalled = false;
    await listener.until('gap');
    expect(listener.cursor).toBeNull();
  });

  test('begins anew, with a gap, where the cursor is in the future of the real PDS', async () => {
    const pds = new FirehoseSource({ service: writer.network.pdsUrl }, soonAgain);
    await using listener = new Listener(pds, { accounts: [writer.did], cursor: '999999999' });
    await listener.until('gap');
    expect(listener.cursor).toBe('999999999');
    expect(listener.interruptions[0]).toMatch(/ends with FutureCursor/);
    await write('after');
    await listener.until('record after');

    expect(listener.told[0]).toBe('gap');
    expect(Number(listener.cursor)).toBeLessThan(999_999_999);
  });

  test('loses nothing where the service says that it is too slow', async () => {
    await using listener = await started();
    relay.send(errorFrame('ConsumerTooSlow', 'Stream consumer too slow'));
    relay.close();
    await write('second');
    await listener.until('record second');

    expect(listener.told).toEqual(['record second']);
    expect(listener.interruptions[0]).toMatch(/ends with ConsumerTooSlow/);
    expect(relay.requests.at(-1)?.searchParams.get('cursor')).toMatch(/^\d+$/);
  });

  test('is given up where it is half open', async () => {
    await using listener = await started();
    relay.isStalled = true;
    await until(() => relay.requests.length > 1);
    relay.isStalled = false;
    await write('second');
    await listener.until('record second');

    expect(listener.interruptions[0]).toMatch(/does not answer pings/);
    expect(listener.told).toContain('record second');
  });

  test('is tried again with growing pauses while the service is down', async () => {
    const pauses: number[] = [];
    source = new FirehoseSource(
      { service: `ws://${relay.host}` },
      { ...soonAgain, pause: (failures) => (pauses.push(failures), 20) },
    );
    relay.isDown = true;
    await using listener = new Listener(source, { accounts: [writer.did] });
    await until(() => pauses.length > 3);
    relay.isDown = false;
    await until(() => relay.sockets.size > 0);

    expect(pauses.slice(0, 4)).toEqual([1, 2, 3, 4]);
    expect(listener.interruptions[0]).toMatch(/answers 503/);
  });

  test('tells its cursor although all events are of other accounts', async () => {
    await using listener = new Listener(source, { accounts: ['did:plc:other'] });
    await until(() => relay.sockets.size > 0);
    let count = 0;
    await until(async () => {
      // Each is another record: the PDS makes no commit of one that does not change.
      await write(`others-${++count}`);
      return listener.cursor !== null;
    });

    expect(listener.told).toEqual([]);
  });
});
