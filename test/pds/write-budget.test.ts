import fc from 'fast-check';
import { DEFAULT_WRITE_LIMITS, type WriteLimit } from '../../lib/model/options.js';
import { type SpentPoints, WriteBudget } from '../../lib/pds/write-budget.js';

const NOW = Date.parse('2026-01-01T00:00:00.000Z');
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
/** Of one part of the hour: what is spent is remembered as spent at its end. */
const MINUTE = 60 * SECOND;
/** Until a request has arrived, or is given up. */
const TIMEOUT = 15 * SECOND;

const aBudget = (limits: readonly WriteLimit[] = DEFAULT_WRITE_LIMITS, backfillShare = 0.8) =>
  new WriteBudget({ limits, backfillShare });

/** What one account spends, by the rules, and when its requests arrived at the PDS. */
class Spender {
  spent: SpentPoints = [];
  now = NOW;
  most = 0;
  readonly arrived: { at: number; points: number; backfill: boolean }[] = [];

  constructor(private readonly budget: WriteBudget) {}

  left(backfill = false): number {
    return this.budget.left(this.spent, backfill, this.now);
  }

  /** @returns what was sent, of what was wanted */
  send(wanted: number, { backfill = false, takes = 0 } = {}): number {
    const points = Math.min(wanted, this.left(backfill));
    if (points === 0) return 0;
    this.spent = this.budget.spend(points, this.spent, this.now + TIMEOUT, this.now);
    this.most = Math.max(this.most, this.spent.length);
    this.arrived.push({ at: this.now + takes, points, backfill });
    return points;
  }

  freeAt(points: number, backfill = false): number {
    return this.budget.freeAt(points, this.spent, backfill, this.now).getTime();
  }

  /** The most that arrived in any stretch of time of this length. */
  mostWithin(seconds: number, of = this.arrived): number {
    const sums = of.map(({ at: start }) => arrivedFrom(of, start, seconds));
    return Math.max(0, ...sums);
  }
}

const arrivedFrom = (of: Spender['arrived'], start: number, seconds: number): number =>
  of
    .filter(({ at }) => at >= start && at < start + seconds * SECOND)
    .reduce((sum, { points }) => sum + points, 0);

describe('WriteBudget', () => {
  it('has all of it where nothing was spent, and no limit without limits', () => {
    expect(aBudget().left([], false, NOW)).toBe(5_000);
    expect(aBudget([]).left([[NOW, 1e9]], false, NOW)).toBe(Infinity);
    expect(aBudget([]).spend(200, [], NOW, NOW)).toEqual([]);
    expect(aBudget().freeAt(3, [], false, NOW)).toEqual(new Date(NOW));
  });

  it('counts what was spent in the last hour, not what was spent before', () => {
    const one = new Spender(aBudget());
    one.send(3_000);
    expect(one.left()).toBe(2_000);
    one.now += HOUR - 1;
    expect(one.left()).toBe(2_000);
    one.send(1_500);
    expect(one.left()).toBe(500);
    one.now += TIMEOUT + MINUTE;
    expect(one.left()).toBe(3_500);
  });

  it('counts a request until it can have arrived', () => {
    const spent = aBudget().spend(600, [], NOW + TIMEOUT, NOW);
    expect(spent).toHaveLength(1);
    expect(aBudget().left(spent, false, NOW + TIMEOUT + HOUR - 1)).toBe(4_400);
    expect(aBudget().left(spent, false, NOW + TIMEOUT + HOUR + MINUTE)).toBe(5_000);
  });

  it('keeps the limit of the day when the hour has room', () => {
    const one = new Spender(aBudget());
    for (let sent = 0; sent < 35_000; sent += one.send(5_000)) one.now += 2 * HOUR;
    expect(one.left()).toBe(0);
    one.now += 2 * HOUR;
    expect(one.left()).toBe(0);
    const free = one.freeAt(3);
    expect(free).toBeGreaterThan(one.arrived[0]!.at + DAY);
    expect(free).toBeLessThan(one.arrived[0]!.at + DAY + HOUR);
  });

  it('leaves a part of each limit to live writes', () => {
    const one = new Spender(aBudget());
    expect(one.send(10_000, { backfill: true })).toBe(4_000);
    expect(one.left(true)).toBe(0);
    expect(one.left(false)).toBe(1_000);
    expect(one.freeAt(3, true)).toBeGreaterThan(NOW + HOUR);
    expect(one.freeAt(3, false)).toBe(NOW);
    one.send(1_000);
    one.now += HOUR + TIMEOUT + MINUTE;
    expect(one.left(true)).toBe(4_000);
    const busy = new Spender(aBudget());
    busy.send(4_500);
    expect([busy.left(true), busy.left(false)]).toEqual([0, 500]);
  });

  it('lets a backfill make one create at a time, however small its part', () => {
    const tiny = aBudget([{ points: 10, seconds: 60 }], 0.01);
    expect(tiny.left([], true, NOW)).toBe(3);
  });

  it('gives the whole limit back within one part of its time', () => {
    const one = new Spender(aBudget());
    for (let round = 0; round < 5; round++) {
      expect(one.left()).toBe(5_000);
      while (one.send(600) > 0) one.now += 2 * SECOND;
      one.now += HOUR + TIMEOUT + MINUTE;
      // What is older than an hour is told apart more coarsely; the hour must not count it again.
      expect(one.send(3)).toBe(3);
      one.now += SECOND;
      expect(one.left()).toBe(5_000 - 3);
      one.now += HOUR + TIMEOUT + MINUTE;
    }
  });

  it('stays small over a day of many requests', () => {
    const one = new Spender(aBudget());
    for (; one.now < NOW + DAY + 2 * HOUR; one.now += 20 * SECOND) one.send(3);
    expect(one.arrived.length).toBeGreaterThan(4_000);
    expect(one.most).toBeLessThanOrEqual(150);
    expect(JSON.stringify(one.spent).length).toBeLessThan(3_000);
  });

  const anyLimits = fc.constantFrom<WriteLimit[][]>(
    [...DEFAULT_WRITE_LIMITS],
    [{ points: 5_000, seconds: 3_600 }],
    [
      { points: 400, seconds: 3_600 },
      { points: 100, seconds: 600 },
      { points: 40, seconds: 7 },
    ],
  );
  const anySteps = fc.array(
    fc.record({
      /** Milliseconds since the step before; many small ones, and some that let a window pass. */
      gap: fc.oneof(
        { weight: 6, arbitrary: fc.nat(20 * SECOND) },
        { weight: 3, arbitrary: fc.nat(20 * MINUTE) },
        { weight: 1, arbitrary: fc.nat(5 * HOUR) },
      ),
      wanted: fc.oneof(fc.integer({ min: 1, max: 600 }), fc.constant(5_000)),
      backfill: fc.boolean(),
      takes: fc.nat(TIMEOUT),
    }),
    { minLength: 1, maxLength: 150 },
  );

  it('never lets more arrive than a limit, in any stretch of its time, and of backfill its part', () => {
    fc.assert(
      fc.property(anyLimits, anySteps, fc.nat(DAY), (limits, steps, start) => {
        const one = new Spender(aBudget(limits, 0.5));
        for (const { gap, wanted, ...rest } of steps) {
          one.now += gap;
          if (one.send(wanted, rest) > 0) continue;
          one.now = one.freeAt(3, rest.backfill);
          one.send(wanted, rest);
        }
        const backfill = one.arrived.filter((request) => request.backfill);
        for (const { points, seconds } of limits) {
          expect(one.mostWithin(seconds)).toBeLessThanOrEqual(points);
          expect(one.mostWithin(seconds, backfill)).toBeLessThanOrEqual(points / 2);
          // As the PDS counts: windows of a fixed length, one after the other, from some moment on.
          for (let from = NOW - start; from <= one.now + TIMEOUT; from += seconds * SECOND) {
            if (seconds < 60) break;
            expect(arrivedFrom(one.arrived, from, seconds)).toBeLessThanOrEqual(points);
          }
        }
        expect(one.most).toBeLessThanOrEqual(150);
      }),
      { numRuns: 200 },
    );
  });

  it('has so many points when it said, and not a moment earlier', () => {
    fc.assert(
      fc.property(anyLimits, anySteps, (limits, steps) => {
        const one = new Spender(aBudget(limits, 0.5));
        for (const { gap, wanted, backfill } of steps) {
          one.now += gap;
          if (one.send(wanted, { backfill }) > 0) continue;
          const free = one.freeAt(3, backfill);
          expect(free).toBeGreaterThan(one.now);
          one.now = free - 1;
          expect(one.left(backfill)).toBeLessThan(3);
          one.now = free;
          expect(one.left(backfill)).toBeGreaterThanOrEqual(3);
        }
      }),
      { numRuns: 200 },
    );
  });
});
