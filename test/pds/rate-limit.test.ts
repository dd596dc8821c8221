import { XRPCError } from '@atproto/api';
import { RateLimitedError } from '../../lib/errors/rate-limited.error.js';
import { rateLimited } from '../../lib/pds/rate-limit.js';
import { answer } from '../support/fault-proxy.js';
import { COLLECTION, FaultyNetwork, isFence, isWrite, rejection } from './fixtures.js';

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
    [{}, '2026-01-01T00:01:00.000Z'],
  ] as [Record<string, string>, string][])('tells from %j when to try again', (headers, expected) => {
    expect(limited(headers).retryAt.toISOString()).toBe(expected);
  });

  it.each([
    ['5000;w=3600', 'account'],
    ['35000;w=86400', 'account'],
    ['3000;w=300', 'host'],
    ['1000;w=86400', 'host'],
    ['', 'host'],
  ])('tells whom the policy %s concerns', (policy, expected) => {
    expect(limited({ 'ratelimit-policy': policy }).limitOf).toBe(expected);
  });
});

describe('RepositoryWriter under rate limits', () => {
  let servers: FaultyNetwork;
  beforeAll(async () => {
    servers = await FaultyNetwork.start({ rateLimits: true });
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  it('tells an exhausted budget of the account, and writes nothing', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    const wanted = Object.fromEntries(Array.from({ length: 1_700 }, (_, index) => [`r${index}`, `${index}`]));
    const committed: number[] = [];
    const error = await rejection(
      app.save(wanted, { onCommit: async (writes) => void committed.push(writes.length) }),
    );
    expect(error).toBeInstanceOf(RateLimitedError);
    expect(error).toMatchObject({ limitOf: 'account', did: app.did });
    const { retryAt } = error as RateLimitedError;
    expect(retryAt.getTime()).toBeGreaterThan(Date.now() + 60_000);
    expect(retryAt.getTime()).toBeLessThan(Date.now() + 3_700_000);
    // 1,666 creates are in the budget, the last request would have gone beyond it.
    expect(committed).toEqual(Array(8).fill(200));
    expect(await servers.network.listRecords(app.did, COLLECTION)).toHaveLength(1_600);
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null, unsettled: {} });
  }, 60_000);

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
