import { InvalidRecordError } from '../../lib/errors/invalid-record.error.js';
import { answer, type Fault, serverError, isWrite } from '../support/fault-proxy.js';
import { type App, COLLECTION, WriterNetwork, rejection } from './fixtures.js';

const POST = 'app.bsky.feed.post';
const NOW = '2026-01-01T00:00:00.000Z';
const post = (text: string): object => ({ text, createdAt: NOW });
/** Ascending TIDs; this lexicon takes no other keys. */
const tid = (index: number): string => `3jzfcijpj222${'abcdefghijklmnopqrst'[index]}`;
const many = (count: number, value: (index: number) => string | object = (index) => `note ${index}`) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`r${String(index).padStart(4, '0')}`, value(index)]),
  );

describe('RepositoryWriter, with limits and refusals', () => {
  let servers: WriterNetwork;
  beforeAll(async () => {
    servers = await WriterNetwork.start();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  const writes = () => servers.proxy.log.filter(isWrite);
  const sizes = (): number[] => writes().map(({ body }) => (body as { writes: unknown[] }).writes.length);
  const bytes = (): number[] => writes().map(({ headers }) => Number(headers['content-length']));
  const count = async (app: App): Promise<number> =>
    (await servers.network.listRecords(app.did, COLLECTION)).length;
  const refusedKeys = (refused: ReadonlyMap<string, Error>): string[] =>
    [...refused.keys()].map((uri) => uri.split('/').at(-1) ?? '').toSorted();

  it.each([
    [200, [200]],
    [201, [200, 1]],
    [500, [200, 200, 100]],
  ])('writes %d records in requests of %j', async (total, expected) => {
    const app = await servers.app({ timeoutMs: 10_000 });
    const commits: number[] = [];
    const report = await app.save(many(total), {
      onCommit: async (written) => void commits.push(written.length),
    });
    expect(sizes()).toEqual(expected);
    expect(commits).toEqual(expected);
    expect(report.committed).toHaveLength(total);
    expect(await count(app)).toBe(total);
    expect(servers.proxy.calls.filter((call) => call === 'getLatestCommit')).toHaveLength(1);
  });

  it('keeps requests below the limit of bytes', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    // Three bytes each: bytes count, not characters.
    await app.save(many(12, () => '€'.repeat(50_000)));
    expect(sizes()).toEqual([5, 5, 2]);
    expect(Math.max(...bytes())).toBeLessThan(900_000);
    expect(await count(app)).toBe(12);
  });

  it('makes smaller requests when the PDS takes less, and blames no record for it', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    const isLarge = (exchange: Parameters<typeof isWrite>[0]): boolean =>
      isWrite(exchange) && (exchange.body as { writes: unknown[] }).writes.length > 3;
    servers.proxy.fault(
      isLarge,
      answer(413, { error: 'PayloadTooLarge', message: 'request entity too large' }),
      2,
    );
    const maxEvent = { error: 'InvalidRequest', message: 'Too many writes. Max event size: 2MB' };
    servers.proxy.fault(isLarge, answer(400, maxEvent), 1);
    servers.proxy.fault(isLarge, answer(413, '<html>413 Request Entity Too Large</html>'), 1);
    const report = await app.save(many(20));
    expect(report.refused.size).toBe(0);
    expect(sizes().slice(0, 5)).toEqual([20, 10, 5, 3, 3]);
    expect(await count(app)).toBe(20);
  });

  it('refuses a record that is too large, and says how large it may be', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    const report = await app.save({ a: 'small', b: 'x'.repeat(1_000_001), c: 'x'.repeat(950_000) });
    expect(refusedKeys(report.refused)).toEqual(['b']);
    const error = report.refused.get(app.uri('b'));
    expect(error).toBeInstanceOf(InvalidRecordError);
    expect(error).toMatchObject({ did: app.did, uri: app.uri('b') });
    expect(error?.message).toMatch(/too large.* 1,000,\d{3} bytes.*limit is 1,000,000/);
    expect(sizes()).toEqual([1, 1]);
    expect(Object.keys(await servers.notes(app)).toSorted()).toEqual(['a', 'c']);
  });

  it('refuses what the PDS finds too large even alone', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    /** What the PDS says to a request of 1,100,000 bytes. */
    const overfull: Fault = async ({ body, headers, respond }) => {
      const { authorization = '' } = headers;
      const response = await fetch(`${servers.network.pdsUrl}/xrpc/com.atproto.repo.applyWrites`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ ...(body as object), padding: 'x'.repeat(1_100_000) }),
      });
      respond({
        status: response.status,
        headers: { 'content-type': response.headers.get('content-type') ?? undefined },
        body: await response.text(),
      });
    };
    servers.proxy.fault((one) => isWrite(one) && JSON.stringify(one.body).length > 300_000, overfull, 2);
    const report = await app.save({ a: 'small', b: 'x'.repeat(400_000) });
    expect(refusedKeys(report.refused)).toEqual(['b']);
    const { message } = report.refused.get(app.uri('b'))!;
    expect(message).toMatch(/too large.* 400,\d{3} bytes, the PDS refuses it \(HTTP 413/);
    expect(message).not.toContain('1,000,000');
    expect(await servers.notes(app)).toEqual({ a: 'small' });
  });

  it('refuses the one invalid record that the PDS names, and writes the others', async () => {
    const app = await servers.app();
    const wanted = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [tid(index), post(`post ${index}`)]),
    );
    wanted[tid(7)] = { text: 'secret text', createdAt: 'yesterday, of all days' };
    const report = await app.save(wanted, { collection: POST });
    expect(report.committed).toHaveLength(19);
    expect(refusedKeys(report.refused)).toEqual([tid(7)]);
    const error = report.refused.get(`at://${app.did}/${POST}/${tid(7)}`);
    expect(error).toMatchObject({ code: 'INVALID_RECORD', path: '$.createdAt', did: app.did });
    expect(error?.message).toContain('Invalid app.bsky.feed.post record');
    expect(error?.message).toContain('at $.createdAt');
    expect(error?.message).not.toContain('yesterday');
    expect(error?.message).not.toContain('secret');
    expect(sizes()).toEqual([20, 19]);
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null, unsettled: {} });
  });

  it('refuses an invalid record that is alone', async () => {
    const app = await servers.app();
    const report = await app.save({ [tid(1)]: { text: 7, createdAt: NOW } }, { collection: POST });
    expect([...report.refused.values()]).toMatchObject([{ path: '$.text' }]);
    expect(report.committed).toEqual([]);
    await app.save({ [tid(1)]: post('better') }, { collection: POST });
    expect(await servers.network.listRecords(app.did, POST)).toHaveLength(1);
  });

  it('finds by halves what the PDS does not name: a blob that is not there', async () => {
    const app = await servers.app();
    const blob = {
      $type: 'blob',
      ref: { $link: 'bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy' },
      mimeType: 'image/png',
      size: 10,
    };
    const report = await app.save(many(16, (index) => (index === 11 ? { image: blob } : `note ${index}`)));
    expect(refusedKeys(report.refused)).toEqual(['r0011']);
    expect([...report.refused.values()][0]?.message).toContain('BlobNotFound');
    expect(report.committed).toHaveLength(15);
    expect(await count(app)).toBe(15);
    expect(sizes().length).toBeLessThan(10);
  });

  it('refuses a wrong $type, and a key that the lexicon does not allow', async () => {
    const app = await servers.app();
    const report = await app.save({ a: 'fine', b: { $type: 'com.example.other', text: 'x' }, c: 'fine' });
    expect(refusedKeys(report.refused)).toEqual(['b']);
    const posts = await app.save({ 'not-a-tid': post('x'), [tid(2)]: post('y') }, { collection: POST });
    expect(refusedKeys(posts.refused)).toEqual(['not-a-tid']);
    expect([...posts.refused.values()][0]?.message).toContain('Invalid record key');
  });

  it('refuses all records of an unknown lexicon at once where lexicons are required', async () => {
    const app = await servers.app();
    const report = await app.save(many(30), { validate: true });
    expect(report.refused.size).toBe(30);
    expect(sizes()).toEqual([30]);
    expect([...report.refused.values()][0]?.message).toContain('Unknown lexicon type');
  });

  it('passes validate on, and leaves it to the PDS by default', async () => {
    const app = await servers.app();
    const invalid = { [tid(1)]: { text: 7 } };
    await app.save(invalid, { collection: POST, validate: false });
    expect(await servers.network.listRecords(app.did, POST)).toHaveLength(1);
    expect(writes().map(({ body }) => (body as { validate?: boolean }).validate)).toEqual([false]);
    await app.save({ a: 'one' });
    expect(writes().at(-1)?.body).not.toHaveProperty('validate');
  });

  it('refuses what has no JSON form', async () => {
    const app = await servers.app();
    const address = app.address('a');
    const report = await app.writer.write({
      did: app.did,
      agent: app.agent,
      addresses: [address],
      decide: () => [{ action: 'create', address, record: { count: 1n }, cid: 'none' }],
    });
    expect([...report.refused.values()][0]?.message).toContain('BigInt');
    expect(writes()).toEqual([]);
  });

  it('puts aside the one record that makes the PDS fail, and writes the others', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    const hasPoison = (exchange: Parameters<typeof isWrite>[0]): boolean =>
      isWrite(exchange) && JSON.stringify(exchange.body).includes('poison');
    servers.proxy.fault(hasPoison, serverError, Number.POSITIVE_INFINITY);
    const report = await app.save(many(16, (index) => (index === 5 ? 'poison' : `note ${index}`)));
    expect(refusedKeys(report.refused)).toEqual(['r0005']);
    expect([...report.refused.values()][0]?.message).toContain('HTTP 500');
    expect(report.committed).toHaveLength(15);
    expect(await count(app)).toBe(15);
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null });
  });

  it('finds a value that the PDS cannot store', async () => {
    const app = await servers.app();
    const address = app.address('a');
    const report = await app.writer.write({
      did: app.did,
      agent: app.agent,
      addresses: [address],
      decide: ({ current }) =>
        current.get(app.uri('a'))
          ? []
          : [{ action: 'create', address, record: { $type: COLLECTION, count: 2 ** 60 }, cid: 'none' }],
    });
    expect(refusedKeys(report.refused)).toEqual(['a']);
  });

  it('blames the PDS when it fails at one record after the other', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    servers.proxy.fault(isWrite, serverError, Number.POSITIVE_INFINITY);
    const error = await rejection(app.save(many(8)));
    expect(error).toMatchObject({ code: 'PDS_UNAVAILABLE' });
    expect(sizes().length).toBeLessThan(16);
  });

  it('keeps two writes of one address in order, in two requests', async () => {
    const app = await servers.app();
    await app.save({ a: 'one', b: 'one' });
    servers.proxy.reset();
    const [a, b] = [app.address('a'), app.address('b')];
    const record = { $type: COLLECTION, text: 'again' };
    let asked = false;
    await app.writer.write({
      did: app.did,
      agent: app.agent,
      addresses: [a, b],
      decide: () => {
        if (asked) return [];
        asked = true;
        return [
          { action: 'delete', address: a },
          { action: 'delete', address: b },
          { action: 'create', address: a, record, cid: 'unknown' },
        ];
      },
    });
    expect(sizes()).toEqual([2, 1]);
    expect(await servers.notes(app)).toEqual({ a: 'again' });
  });
});
