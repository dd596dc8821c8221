import { decodeAll, encode } from '@atproto/lex-cbor';
import { FirehoseSource } from '../../../lib/inbound/sources/firehose/firehose.js';
import { Listener } from '../../support/inbound/listener.js';
import { frame, StandInRelay } from '../../support/inbound/stand-in-relay.js';
import { soonAgain } from '../../support/inbound/timing.js';
import { WritingAccount } from '../../support/inbound/writing-account.js';

type Body = Record<string, unknown> & { ops: Record<string, unknown>[] };

describe('a commit on the firehose', () => {
  let writer: WritingAccount;
  let relay: StandInRelay;
  let listener: Listener;

  beforeEach(async () => {
    writer = await WritingAccount.create();
    relay = await new StandInRelay(writer.network.pdsUrl).listen();
    const source = new FirehoseSource({ service: `http://${relay.host}/` }, soonAgain);
    listener = new Listener(source, { accounts: [writer.did] });
    await note('before');
    // The account itself is new, which is told, too.
    listener.events.length = 0;
  });

  afterEach(async () => {
    await listener[Symbol.asyncDispose]();
    await relay[Symbol.asyncDispose]();
  });

  /** Writes a record once more until the source, which may connect still, has told it. */
  async function note(rkey: string): Promise<string> {
    for (;;) {
      const { rev } = await writer.write(rkey, { $type: writer.collection, now: Date.now() });
      const end = Date.now() + 1_000;
      while (Date.now() < end) {
        if (listener.events.some((event) => event.kind === 'record' && event.rev === rev)) return rev;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  /** Changes the commit that is told next. */
  const alterNext = (change: (body: Body) => void): void => {
    relay.change = (bytes) => {
      const [header, body] = [...decodeAll(bytes)] as unknown as [{ t?: string }, Body];
      if (header.t !== '#commit' || body['repo'] !== writer.did) return bytes;
      relay.change = (same) => same;
      change(body);
      return frame('#commit', body as Parameters<typeof encode>[0]);
    };
  };

  const write = (rkey: string, text = 'a text'): Promise<{ rev: string }> =>
    writer.write(rkey, { $type: writer.collection, text });

  test('tells all records of it that were asked for, in their order', async () => {
    const create = (collection: string, rkey: string) => ({
      $type: 'com.atproto.repo.applyWrites#create' as const,
      collection,
      rkey,
      value: { $type: collection, rkey },
    });
    await writer.agent.com.atproto.repo.applyWrites({
      repo: writer.did,
      writes: [
        create(writer.collection, 'b'),
        create('com.example.notes', 'c'),
        create('com.example.note.more', 'd'),
        create(writer.collection, 'a'),
      ],
    });
    await note('after');

    expect(listener.told.filter((told) => /^record .$|sync/.test(told))).toEqual(['record b', 'record a']);
    expect(listener.skipped).toEqual([]);
  });

  test('tells nothing of accounts that were not asked for', async () => {
    const other = await WritingAccount.create('other.test');
    await other.write('others', { $type: other.collection });
    await note('after');

    expect(listener.told).not.toContain('record others');
  });

  test('is imported again where the bytes of a record do not match its CID', async () => {
    relay.change = (bytes) => {
      const at = bytes.indexOf('needle');
      if (at >= 0) bytes.write('poodle', at);
      return bytes;
    };
    const { rev } = await write('forged', 'needle');
    await listener.until('sync');

    expect(listener.events.at(-1)).toEqual({ kind: 'sync', did: writer.did, rev });
    expect(listener.told).not.toContain('record forged');
    expect(listener.skipped).toEqual([
      `'com.example.note/forged' of ${writer.did} at ${rev}: its bytes do not match its CID`,
    ]);
    await note('after');
  });

  test.each([
    ['the block of a record is missing', (body: Body) => (body['blocks'] = Buffer.from('AA==', 'base64'))],
    ['the blocks are cut off', (body: Body) => (body['blocks'] = (body['blocks'] as Buffer).subarray(0, -9))],
    ['there are no blocks', (body: Body) => delete body['blocks']],
    ['the blocks are no CAR', (body: Body) => (body['blocks'] = Buffer.alloc(100, 0xff))],
    ['an operation is unknown', (body: Body) => (body.ops[0]!['action'] = 'rename')],
    ['an operation has no path', (body: Body) => delete body.ops[0]!['path']],
    ['a path has no record key', (body: Body) => (body.ops[0]!['path'] = 'com.example.note')],
    ['a record has no CID', (body: Body) => (body.ops[0]!['cid'] = null)],
    ['there are no operations', (body: Body) => (body['ops'] = null as unknown as Body['ops'])],
    ['its block is of another commit', (body: Body) => (body['rev'] = '3zzzzzzzzzzzz')],
  ])('is imported again, with a reason, where %s', async (_, change) => {
    alterNext(change);
    await write('altered');
    await listener.until('sync');

    expect(listener.skipped).not.toEqual([]);
    expect(listener.skipped.every((reason) => reason.includes(writer.did))).toBe(true);
  });

  test('is imported again where it was too big for its event', async () => {
    alterNext((body) => (body['tooBig'] = true));
    const { rev } = await write('large');
    await listener.until('sync');
    await note('after');

    expect(listener.events.filter(({ kind }) => kind === 'sync')).toEqual([
      { kind: 'sync', did: writer.did, rev },
    ]);
    expect(listener.told).not.toContain('record large');
  });

  test('tells that the account is imported again where a commit before it is missing', async () => {
    relay.change = () => {
      relay.change = (same) => same;
      return null;
    };
    await write('missing');
    const rev = await note('after');

    expect(listener.events.slice(-2)).toEqual([
      expect.objectContaining({ kind: 'record', rkey: 'after', rev }),
      { kind: 'sync', did: writer.did, rev },
    ]);
  });

  test('tells the same where the tree before it is another one', async () => {
    alterNext((body) => (body['prevData'] = body['commit']));
    await write('forked');
    await listener.until('record forked', 'sync');

    expect(listener.skipped).toEqual([]);
  });

  test('skips a record that is nested too deeply to be read', async () => {
    alterNext((body) => {
      const deep = Buffer.concat([Buffer.alloc(100_000, 0x81), Buffer.from([0x80])]);
      body.ops[0]!['cid'] = undefined;
      body['blocks'] = Buffer.concat([body['blocks'] as Buffer, deep]);
    });
    await write('deep');
    await listener.until('sync');
    await note('after');

    expect(listener.told).not.toContain('record deep');
  });

  test('tells that an account which is active again may have changed', async () => {
    await writer.setActive(false);
    await writer.setActive(true);
    await listener.until('account false', 'account true', 'identity', 'sync');

    expect(listener.told.slice(-4)).toEqual(['account false', 'account true', 'identity', 'sync']);
  });
});
