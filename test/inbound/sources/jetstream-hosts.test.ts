import { JetstreamSource } from '../../../lib/inbound/sources/jetstream/jetstream.js';
import { Listener } from '../../support/inbound/listener.js';
import { PdsLog } from '../../support/inbound/pds-log.js';
import { StandInJetstream } from '../../support/inbound/stand-in-jetstream.js';
import { soonAgain } from '../../support/inbound/timing.js';
import { WritingAccount } from '../../support/inbound/writing-account.js';
import { until } from '../../support/until.js';

describe.each([1, 2] as const)('a position of Jetstream %s', (version) => {
  let writer: WritingAccount;
  let log: PdsLog;
  let one: StandInJetstream;
  let other: StandInJetstream;
  let source: JetstreamSource;

  beforeEach(async () => {
    writer = await WritingAccount.create();
    log = await PdsLog.start(writer.network.pdsUrl);
    one = await new StandInJetstream(log, version).listen();
    other = await new StandInJetstream(log, version).listen();
    source = new JetstreamSource({ hosts: [`ws://${one.host}`, `ws://${other.host}`], version }, soonAgain);
  });

  afterEach(async () => {
    await one[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
  });

  const write = (rkey: string) => writer.write(rkey, { $type: writer.collection });

  async function started(accounts: readonly string[] | null = [writer.did]): Promise<Listener> {
    const listener = new Listener(source, { accounts });
    await until(() => one.sockets.size > 0);
    await write('first');
    await listener.until('record first');
    listener.events.length = 0;
    return listener;
  }

  test('names its host', async () => {
    await using listener = await started();

    expect(listener.cursor).toMatch(new RegExp(`^${one.host} \\d+$`));
    expect(source.name).toBe(`jetstream-v${version}:${one.host}`);
  });

  test('is kept while its host is away shortly', async () => {
    await using listener = await started();
    one.isDown = true;
    one.drop();
    await until(() => listener.interruptions.length > 1);
    one.isDown = false;
    await write('second');
    await listener.until('record second');

    expect(listener.told).not.toContain('gap');
    expect(other.requests).toEqual([]);
  });

  test('means nothing to the next host, which is told as a gap', async () => {
    await using listener = await started();
    const before = listener.cursor;
    one.isDown = true;
    one.drop();
    await listener.until('gap');
    expect(listener.cursor).toBe(before);
    expect(other.requests[0]?.searchParams.has('cursor')).toBe(false);
    await write('second');
    await listener.until('record second');

    expect(listener.cursor).toMatch(new RegExp(`^${other.host} `));
    expect(listener.events.find(({ kind }) => kind === 'gap')).toMatchObject({
      reason: `${other.host} answers instead of ${one.host}`,
    });
  });

  test('leads back to its host when the source is opened again', async () => {
    await using first = new Listener(source, { accounts: [writer.did], cursor: `${other.host} 5000` });
    await until(() => other.requests.length > 0);

    expect(one.requests).toEqual([]);
    expect(first.interruptions.length).toBeLessThanOrEqual(1);
  });

  test('of a host that is not asked any more is a gap', async () => {
    await using listener = new Listener(source, { accounts: [writer.did], cursor: 'gone.example.com 7' });
    await listener.until('gap');

    expect(listener.events[0]).toMatchObject({
      kind: 'gap',
      reason: `${one.host} answers instead of gone.example.com`,
    });
  });

  test('where nothing was told before the connection broke, is a gap', async () => {
    // Else the events that made the account may come first.
    one.isStalled = true;
    await using listener = new Listener(source, { accounts: [writer.did] });
    await until(() => one.sockets.size > 0);
    one.drop();
    one.isStalled = false;
    await listener.until('gap');

    expect(listener.cursor).toBeNull();
  });

  test('tells only what was asked for, whatever the host tells', async () => {
    await using listener = await started();
    const entry = { did: writer.did, collection: null };
    const fields = { rev: 'r', operation: 'delete', collection: 'com.example.other', rkey: 'x' };
    log.entries.push(
      { ...entry, kind: 'commit', fields },
      { ...entry, did: 'did:plc:x', kind: 'identity', fields },
    );
    await write('second');
    await listener.until('record second');

    expect(listener.told).toEqual(['record second']);
  });

  test.each([
    ['a CID that does not match', { cid: 'bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a' }],
    ['an unknown operation', { operation: 'rename' }],
    ['no record', { record: undefined }],
    ['no CID', { cid: undefined }],
    ['a record outside the data model', { record: { $type: 'com.example.note', half: 1.5 } }],
    ['a record that is nested too deeply', { record: { $type: 'com.example.note', deep: nested(2_000) } }],
  ])('goes on behind a commit with %s, whose account is imported again', async (_, change) => {
    await using listener = await started();
    one.change = (fields) => ('rkey' in fields ? { ...fields, ...change } : fields);
    const { rev } = await write('altered');
    await listener.until('sync');

    expect(listener.events.at(-1)).toEqual({ kind: 'sync', did: writer.did, rev });
    expect(listener.told).not.toContain('record altered');
    expect(listener.skipped[0]).toContain(`'com.example.note/altered' of ${writer.did} at ${rev}: `);
  });

  test('of so many accounts that the host cannot filter them is followed all the same', async () => {
    const others = Array.from({ length: 10_001 }, (_, number) => `did:plc:${number}`);
    await using listener = await started([...others, writer.did]);

    expect(one.requests[0]?.search).not.toContain('did%3Aplc');
    expect(listener.told).not.toContain('gap');
  });

  if (version === 1) {
    test('is rolled back some seconds', async () => {
      await using listener = await started();
      const position = Number(listener.cursor?.split(' ')[1]);
      one.drop();
      await until(() => one.requests.length > 1);

      expect(Number(one.requests[1]?.searchParams.get('cursor'))).toBe(position - 5_000_000);
    });

    test('that is older than what hosts keep is a gap', async () => {
      const yesterday = (Date.now() - 25 * 3_600_000) * 1_000;
      await using listener = new Listener(source, { cursor: `${one.host} ${yesterday}` });
      await listener.until('gap');

      expect(listener.events[0]).toMatchObject({
        reason: 'the last event is 25 hours old, and Jetstream keeps 24',
      });
    });

    test('of more accounts than fit into a URL is asked for in a message', async () => {
      const others = Array.from({ length: 1_000 }, (_, number) => `did:plc:${number}`);
      await using listener = await started([...others, writer.did]);

      expect(one.requests[0]?.searchParams.get('requireHello')).toBe('true');
      expect(listener.told).not.toContain('gap');
    });
  } else {
    test('that the host does not have any more is a gap', async () => {
      await using listener = await started();
      one.forget();
      await listener.until('gap');

      expect(listener.events.at(-1)).toMatchObject({ reason: expect.stringContaining('CursorTooOld') });
    });

    test('that the host moves is a gap', async () => {
      await using listener = await started();
      const payload = { $type: 'network.bsky.jetstream.subscribeEvents#info', name: 'OutdatedCursor' };
      one.send(JSON.stringify({ $type: 'message', payload }));
      await listener.until('gap');

      expect(listener.skipped).toEqual([]);
    });

    test('is kept where the host says that the source is too slow', async () => {
      await using listener = await started();
      one.send(JSON.stringify({ $type: 'error', error: 'ConsumerTooSlow', message: 'below floor rate' }));
      await until(() => one.requests.length > 1);
      await write('second');
      await listener.until('record second');

      expect(listener.told).not.toContain('gap');
      expect(listener.interruptions[0]).toMatch(/ends with ConsumerTooSlow/);
    });
  }
});

function nested(levels: number): unknown {
  let value: unknown = null;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}
