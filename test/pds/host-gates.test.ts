import { jest } from '@jest/globals';
import { AuthenticationError } from '../../lib/errors/authentication.error.js';
import { InvalidRecordError } from '../../lib/errors/invalid-record.error.js';
import { PdsUnavailableError } from '../../lib/errors/pds-unavailable.error.js';
import { RateLimitedError } from '../../lib/errors/rate-limited.error.js';
import { HostPausedError } from '../../lib/pds/host-paused.error.js';
import { HostGates } from '../../lib/pds/host-gates.js';
import { rejection } from './fixtures.js';

const NOW = Date.parse('2026-01-01T00:00:00.000Z');
const HOST = 'https://pds.example';
const OTHER = 'https://other.example';
const ALICE = 'did:plc:alice';
const BOB = 'did:plc:bob';
const CAROL = 'did:plc:carol';
/** Failures in a row that close a host. */
const PATIENCE = 5;

const outage = () => new PdsUnavailableError('502', { outage: true });
const limited = (limitOf: 'host' | 'account', seconds: number) =>
  new RateLimitedError('429', new Date(NOW + seconds * 1_000), limitOf);
const failing = (error: Error) => async (): Promise<never> => {
  throw error;
};
const fine = () => Promise.resolve('fine');

/** A request that goes on until it is told how it ends. */
function underWay() {
  const ends: { answer: () => void; fail: (error: Error) => void } = {
    answer: () => undefined,
    fail: () => undefined,
  };
  const requests = jest.fn(
    () =>
      new Promise<string>((resolve, reject) => {
        ends.answer = () => resolve('fine');
        ends.fail = reject;
      }),
  );
  return { requests, ends };
}

const turns = () => new Promise((resolve) => setImmediate(resolve));

describe('HostGates', () => {
  let gates: HostGates;
  beforeEach(() => {
    jest.useFakeTimers({
      now: NOW,
      doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance'],
    });
    gates = new HostGates();
  });
  afterEach(() => jest.useRealTimers());

  const pass = (milliseconds: number) => jest.setSystemTime(Date.now() + milliseconds);
  const fail = (times: number, dids = [ALICE, BOB], error: () => Error = outage) =>
    Array.from({ length: times }).reduce<Promise<unknown>>(
      (before, _, index) =>
        before.then(() => rejection(gates.runRequests(dids[index % dids.length]!, HOST, failing(error())))),
      Promise.resolve(),
    );
  /** Milliseconds for which an account's host is left alone. */
  const pauseOf = (did: string): number => (gates.pausedUntil(did)?.getTime() ?? Date.now()) - Date.now();

  it('leaves a host alone after five outages in a row, whoever met them, and no other host', async () => {
    await gates.runRequests(CAROL, HOST, fine);
    await fail(PATIENCE - 1);
    expect(gates.pausedUntil(ALICE)).toBeNull();
    expect(await gates.runRequests(CAROL, OTHER, fine)).toBe('fine');
    await gates.runRequests(CAROL, OTHER, failing(outage())).catch(() => undefined);
    await fail(1);

    const requests = jest.fn(fine);
    const error = await rejection(gates.runRequests('did:plc:dora', HOST, requests));
    expect(error).toBeInstanceOf(HostPausedError);
    expect(error).toMatchObject({ did: 'did:plc:dora', outage: false, retryAt: gates.pausedUntil(ALICE) });
    expect(requests).not.toHaveBeenCalled();
    expect(pauseOf(ALICE)).toBeGreaterThan(3_000);
    expect(pauseOf(ALICE)).toBeLessThanOrEqual(5_000);
    expect(await gates.runRequests(CAROL, OTHER, fine)).toBe('fine');
  });

  it('throws the failure itself to whoever meets it', async () => {
    const error = outage();
    expect(await rejection(gates.runRequests(ALICE, HOST, failing(error)))).toBe(error);
    await fail(PATIENCE - 2);
    const last = outage();
    expect(await rejection(gates.runRequests(ALICE, HOST, failing(last)))).toBe(last);
  });

  it.each([
    ['a success', fine],
    ['a refusal', failing(new InvalidRecordError('no'))],
    ['an auth failure', failing(new AuthenticationError('sign in'))],
    ['the limit of an account', failing(limited('account', 60))],
    ['a failure of one account at the PDS', failing(new PdsUnavailableError('its repository is locked'))],
  ])('counts anew after %s, which shows that the host is there', async (_name, requests) => {
    await fail(PATIENCE - 1);
    await gates.runRequests(CAROL, HOST, requests).catch(() => undefined);
    await fail(PATIENCE - 1);
    expect(gates.pausedUntil(ALICE)).toBeNull();
    await fail(1);
    expect(gates.pausedUntil(ALICE)).not.toBeNull();
  });

  it('tells by the account, as far as its host is known', async () => {
    await gates.runRequests(CAROL, HOST, fine);
    await gates.runRequests(BOB, OTHER, fine);
    await fail(PATIENCE, [ALICE]);
    expect(gates.pausedUntil(CAROL)).toEqual(gates.pausedUntil(ALICE));
    expect(gates.pausedUntil(BOB)).toBeNull();
    expect(gates.pausedUntil('did:plc:nobody')).toBeNull();
    // An account that has moved is where it wrote last.
    await gates.runRequests(CAROL, OTHER, fine);
    expect(gates.pausedUntil(CAROL)).toBeNull();
  });

  it('sends one probe after the pause, for which all others wait', async () => {
    await fail(PATIENCE);
    pass(pauseOf(ALICE));
    expect(gates.pausedUntil(ALICE)).toBeNull();
    const probe = underWay();
    const waiting = jest.fn(fine);
    const first = gates.runRequests(ALICE, HOST, probe.requests);
    const others = [gates.runRequests(BOB, HOST, waiting), gates.runRequests(CAROL, HOST, waiting)];
    await turns();
    expect(probe.requests).toHaveBeenCalledTimes(1);
    expect(waiting).not.toHaveBeenCalled();
    probe.ends.answer();
    expect(await Promise.all([first, ...others])).toEqual(['fine', 'fine', 'fine']);
    await fail(PATIENCE - 1);
    expect(gates.pausedUntil(ALICE)).toBeNull();
  });

  it('waits longer after every probe that fails, up to a minute, and so do those who waited for it', async () => {
    await fail(PATIENCE);
    const pauses = [pauseOf(ALICE)];
    for (let round = 0; round < 6; round++) {
      pass(pauseOf(ALICE));
      const probe = underWay();
      const waiting = jest.fn(fine);
      const first = gates.runRequests(ALICE, HOST, probe.requests);
      const other = gates.runRequests(BOB, HOST, waiting);
      const ended = [rejection(first), rejection(other)] as const;
      await turns();
      const error = outage();
      probe.ends.fail(error);
      expect(await ended[0]).toBe(error);
      expect(await ended[1]).toMatchObject({ name: 'HostPausedError', retryAt: gates.pausedUntil(BOB) });
      expect(waiting).not.toHaveBeenCalled();
      pauses.push(pauseOf(ALICE));
    }
    for (const [index, pause] of pauses.entries()) {
      const full = Math.min(60_000, 5_000 * 2 ** index);
      expect(pause).toBeGreaterThanOrEqual(Math.floor((full * 2) / 3));
      expect(pause).toBeLessThanOrEqual(full);
    }
  });

  it('takes a probe that is refused for an answer', async () => {
    await fail(PATIENCE);
    pass(pauseOf(ALICE));
    await rejection(gates.runRequests(ALICE, HOST, failing(new InvalidRecordError('no'))));
    expect(await gates.runRequests(BOB, HOST, fine)).toBe('fine');
    await fail(PATIENCE - 1);
    expect(gates.pausedUntil(ALICE)).toBeNull();
  });

  it('leaves a host alone that limits us, until it says', async () => {
    await gates.runRequests(BOB, HOST, fine);
    const error = limited('host', 120);
    expect(await rejection(gates.runRequests(ALICE, HOST, failing(error)))).toBe(error);
    expect(gates.pausedUntil(BOB)).toEqual(error.retryAt);
    const requests = jest.fn(fine);
    expect(await rejection(gates.runRequests(BOB, HOST, requests))).toMatchObject({ retryAt: error.retryAt });
    expect(requests).not.toHaveBeenCalled();
    pass(120_000);
    expect(gates.pausedUntil(BOB)).toBeNull();
    expect(await gates.runRequests(BOB, HOST, fine)).toBe('fine');
  });

  it('keeps the longest pause that a host has asked for', async () => {
    const [one, other] = [underWay(), underWay()];
    const ended = [
      rejection(gates.runRequests(ALICE, HOST, one.requests)),
      rejection(gates.runRequests(BOB, HOST, other.requests)),
    ];
    await turns();
    one.ends.fail(limited('host', 300));
    other.ends.fail(limited('host', 60));
    await Promise.all(ended);
    expect(pauseOf(ALICE)).toBe(300_000);
  });

  it.each([
    ['the limit of an account', () => limited('account', 3_600)],
    ['an invalid record', () => new InvalidRecordError('no')],
    ['an auth failure', () => new AuthenticationError('sign in')],
    ['a failure that is no outage', () => new PdsUnavailableError('its repository is locked')],
  ])('leaves nobody alone for %s, however often', async (_name, error) => {
    await fail(3 * PATIENCE, [ALICE, BOB], error);
    expect(gates.pausedUntil(ALICE)).toBeNull();
    expect(await gates.runRequests(BOB, HOST, fine)).toBe('fine');
  });

  it('lets end what was under way when the host was closed, and counts it no more', async () => {
    const [good, bad] = [underWay(), underWay()];
    const ended = [
      gates.runRequests(CAROL, HOST, good.requests),
      rejection(gates.runRequests(BOB, HOST, bad.requests)),
    ];
    await turns();
    await fail(PATIENCE);
    const pause = gates.pausedUntil(ALICE);
    good.ends.answer();
    const error = outage();
    bad.ends.fail(error);
    expect(await Promise.all(ended)).toEqual(['fine', error]);
    expect(gates.pausedUntil(ALICE)).toEqual(pause);
  });

  it('keeps nothing of hosts that are well', async () => {
    const kept = (): number => gates['gates'].size;
    for (let index = 0; index < 50; index++) {
      await gates.runRequests(`did:plc:${index}`, `https://pds${index}.example`, fine);
    }
    await rejection(gates.runRequests(ALICE, HOST, failing(new InvalidRecordError('no'))));
    expect(kept()).toBe(0);
    await fail(1);
    expect(kept()).toBe(1);
    await gates.runRequests(ALICE, HOST, fine);
    expect(kept()).toBe(0);
    await fail(PATIENCE);
    pass(pauseOf(ALICE));
    await gates.runRequests(ALICE, HOST, fine);
    expect(kept()).toBe(0);
    await rejection(gates.runRequests(ALICE, HOST, failing(limited('host', 60))));
    expect(kept()).toBe(1);
    pass(120_000);
    await gates.runRequests(ALICE, HOST, fine);
    expect(kept()).toBe(0);
  });

  it('remembers the hosts of so many accounts only', async () => {
    for (let index = 0; index <= 10_000; index++) await gates.runRequests(`did:plc:${index}`, HOST, fine);
    await fail(PATIENCE, ['did:plc:10000']);
    expect(gates.pausedUntil('did:plc:0')).toBeNull();
    expect(gates.pausedUntil('did:plc:1')).not.toBeNull();
  });
});
