import { LeaseLostError } from '../../lib/errors/lease-lost.error.js';
import { XRPCError } from '@atproto/api';
import { RateLimitedError } from '../../lib/errors/rate-limited.error.js';
import { rateLimited } from '../../lib/pds/rate-limit.js';
import { answer, isFence, isWrite } from '../support/fault-proxy.js';
import { COLLECTION, WriterNetwork, rejection } from './fixtures.js';

const NOW = Date.parse('2026-01-01T00:00:00.000Z');
const limited = (headers: Record<string, string>) =>
  rateLimited(new XRPCError(429, 'RateLimitExceeded', undefined, headers), { did: 'did:plc:a' }, NOW);

describe('rateLimited', () => {
  it.each([
    [{ 'retry-after': '120' }, '2026-01-01T00:02:00.000Z'],
    [{ 'retry-after': 'Thu, 01 Jan 2026 01:00:00 GMT' }, '2026-01-01T01:00:00.000Z'],
    [{ 'ratelimit-reset': '1767229200' }, '2026-01-01T01:00:00.000Z'],
    [{ 'retry-after': '60', 'ratelimit-reset': '1767229200' }, '2026-01-01T00:01:00.000Z'],
    [{ 'retry-after': 'soon' }, '2026-01-01T00:01:00.000Z'],
    [{ 'retry-after': '0' }, '2026-01-01T00:00:00.000Z'],
    [{ 'retry-after': '99999999999999' }, '2026-01-02T00:00:00.000Z'],
    [{ 'retry-after': 'Wed, 31 Dec 2025 23:00:00 GMT' }, '2026-01-01T00:01:00.000Z'],
    // Seconds from now, as the IETF's draft has it; and a clock that is an hour behind.
    [{ 'ratelimit-reset': '30' }, '2026-01-01T00:00:30.000Z'],
    [{ 'ratelimit-reset': '1.5' }, '2026-01-01T00:00:01.500Z'],
    [{ 'ratelimit-reset': '1767222000' }, '2026-01-01T00:01:00.000Z'],
    [{}, '2026-01-01T00:01:00.000Z'],
  ] as [Record<string, string>, string][])('tells from %j when to try again', (headers, expected) => {
    expect(limited(headers).retryAt.toISOString()).toBe(expected);
  });

  it.each([
    ['5000;w=3600', 'account'],
    ['35000;w=86400', 'account'],
    ['3000;w=300', 'host'],
    ['1000;w=86400', 'host'],
    ['', 'account'],
  ])('tells whom the policy %s concerns', (policy, expected) => {
    expect(limited({ 'ratelimit-policy': policy }).limitOf).toBe(expected);
  });
});

const notes = (count: number, prefix = 'r'): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, `${index}`]));

const HOUR = 3_600_000;

describe('RepositoryWriter under rate limits', () => {
  let servers: WriterNetwork;
  beforeAll(async () => {
    servers = await WriterNetwork.startOwn({ rateLimits: true });
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  it('tells an exhausted budget of the account, and writes nothing', async () => {
    const app = await servers.app({ timeoutMs: 10_000, writeLimits: [] });
    const wanted = notes(1_700);
    const committed: number[] = [];
    const error = await rejection(
      app.save(wanted, { onCommit: async (writes) => void committed.push(writes.length) }),
      RateLimitedError,
    );
    expect(error).toMatchObject({ limitOf: 'account', did: app.did });
    const { retryAt } = error;
    expect(retryAt.getTime()).toBeGreaterThan(Date.now() + 60_000);
    expect(retryAt.getTime()).toBeLessThan(Date.now() + 3_700_000);
    // 1,666 creates are in the budget, the last request would have gone beyond it.
    expect(committed).toEqual(Array(8).fill(200));
    expect(await servers.network.listRecords(app.did, COLLECTION)).toHaveLength(1_600);
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null, unsettled: {} });
  }, 60_000);

  it('spends the budget of the account to the last point, and never hears of a limit', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    const statuses: number[] = [];
    servers.proxy.fault(
      () => true,
      async (exchange) => {
        const reply = await exchange.forward();
        statuses.push(reply.status);
        exchange.respond(reply);
      },
      Infinity,
    );
    const committed: number[] = [];
    const error = await rejection(
      app.save(notes(1_700), { onCommit: async (writes) => void committed.push(writes.length) }),
      RateLimitedError,
    );
    expect(error).toMatchObject({ limitOf: 'account', did: app.did });
    const { retryAt } = error;
    expect(retryAt.getTime()).toBeGreaterThan(Date.now() + HOUR - 120_000);
    expect(retryAt.getTime()).toBeLessThan(Date.now() + HOUR + 120_000);
    expect(committed).toEqual([...Array<number>(8).fill(200), 66]);
    expect(await servers.network.listRecords(app.did, COLLECTION)).toHaveLength(1_666);
    expect(statuses).toHaveLength(servers.proxy.log.length);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null, unsettled: {} });

    const before = servers.proxy.log.length;
    expect(await rejection(app.save({ late: 'one' }))).toMatchObject({ retryAt });
    expect(servers.proxy.log.slice(before).filter(isWrite)).toEqual([]);
    expect(await app.writer.admits(app.did, false)).toMatchObject({ writes: 0, retryAt });
  }, 60_000);

  it('keeps a part of the budget from a backfill, for live writes', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    const error = await rejection(app.save(notes(1_400), { backfill: true }), RateLimitedError);
    expect(error).toMatchObject({ limitOf: 'account' });
    expect(error.retryAt.getTime()).toBeGreaterThan(Date.now() + HOUR - 120_000);
    // 1,333 creates are 3,999 of 4,000 points.
    expect(await servers.network.listRecords(app.did, COLLECTION)).toHaveLength(1_333);
    expect(await app.writer.admits(app.did, true)).toMatchObject({ writes: 0 });
    expect(await app.writer.admits(app.did, false)).toMatchObject({ writes: 333 });
    const { committed } = await app.save({ live: 'one' });
    expect(committed).toHaveLength(1);
    await rejection(app.save({ more: 'one' }, { backfill: true }), RateLimitedError);
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null, unsettled: {} });
  }, 60_000);

  it('sends nothing that is not permitted, and remembers nothing of it', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    servers.proxy.reset();
    const before = await app.state.load(app.did);
    const asked: number[] = [];
    const refused = new Error('the lease is gone');
    const permit = async (milliseconds: number) => {
      asked.push(milliseconds);
      throw refused;
    };
    expect(await rejection(app.save({ a: 'two', b: 'one' }, { permit }))).toBe(refused);
    // Twice the time of a call: it is made again where a token was stale.
    expect(asked).toEqual([2 * 2_000]);
    expect(servers.proxy.log.filter(isWrite)).toEqual([]);
    expect(await app.state.load(app.did)).toEqual(before);
    expect(before).toMatchObject({ inFlight: null, unsettled: {} });
    await app.save({ a: 'two', b: 'one' }, { permit: async () => undefined });
    expect(await servers.notes(app)).toEqual({ a: 'two', b: 'one' });
  });

  it('asks before each request, the fence of a lost one among them', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    servers.proxy.reset();
    servers.proxy.fault(isWrite, answer(502, '<html>'));
    let asked = 0;
    const permit = async () => void asked++;
    await app.save({ a: 'two' }, { permit });
    expect(asked).toBe(3);
    expect(servers.proxy.calls.filter((call) => call === 'applyWrites')).toHaveLength(3);
  });

  it('leaves what is remembered to whoever has the lease by now', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    servers.proxy.reset();
    servers.proxy.fault(isWrite, answer(502, '<html>'));
    const before = (await app.state.load(app.did))!;
    const theirs = {
      ...before,
      inFlight: { head: before.head ?? '', until: 0, cids: { [app.uri('b')]: 'bafy' } },
    };
    let asked = 0;
    const permit = async (): Promise<void> => {
      // The request, its fence, and the request again.
      if (++asked < 3) return;
      await app.state.sending(app.did, theirs);
      throw new LeaseLostError(app.did);
    };
    expect(await rejection(app.save({ a: 'two' }, { permit }))).toBeInstanceOf(LeaseLostError);
    expect(await app.state.load(app.did)).toEqual(theirs);
  });

  it('has a fence for an exhausted account as well', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    servers.proxy.fault(isWrite, answer(502, '<html>'));
    servers.proxy.fault(
      isWrite,
      answer(429, { error: 'RateLimitExceeded' }, { 'retry-after': '5', 'ratelimit-policy': '5000;w=3600' }),
    );
    const error = await rejection(app.save({ a: 'two' }));
    expect(error).toMatchObject({ code: 'RATE_LIMITED', limitOf: 'account' });
    expect(servers.proxy.log.filter(isFence)).toHaveLength(1);
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null });
    await app.save({ a: 'three' });
    expect(await servers.notes(app)).toEqual({ a: 'three' });
  });
});
