import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Contestant {
  readonly name: string;
  /** Before each run, and not measured. */
  prepare?(): Promise<unknown>;
  run(): Promise<unknown>;
}

export interface Ratio {
  readonly what: string;
  readonly ratio: number;
  readonly limit: number;
  /** Medians, in milliseconds unless `unit` says otherwise. */
  readonly ours: number;
  readonly theirs: number;
  readonly unit?: string;
  readonly notes?: string;
}

/**
 * Medians in milliseconds of several ways to do a thing, side by side: one after the other in every round, in changing order, so that
 * what the machine does meanwhile hits all.
 *
 * @param options.times in a row in each round: an application does one of them, and does not find the other's in the processor's caches
 * @param options.rest milliseconds after that, for what one has not waited for and the other would have to
 */
export async function medians(
  contestants: readonly Contestant[],
  { rounds = 200, warmUp = 50, times = 1, rest = 0 } = {},
): Promise<number[]> {
  const all = contestants.map((contestant) => ({ contestant, spent: [] as number[] }));
  for (let round = -warmUp; round < rounds; round++) {
    for (const { contestant, spent } of round % 2 === 0 ? all : all.toReversed()) {
      for (let time = 0; time < times; time++) {
        await contestant.prepare?.();
        const start = performance.now();
        await contestant.run();
        if (round >= 0) spent.push(performance.now() - start);
      }
      if (rest > 0) await sleep(rest);
    }
  }
  return all.map(({ spent }) => median(spent));
}

export async function compare(
  what: string,
  limit: number,
  contestants: readonly [Contestant, Contestant],
  options: Parameters<typeof medians>[1] = {},
): Promise<Ratio> {
  const [ours = 0, theirs = 0] = await medians(contestants, options);
  return { what, ratio: ours / theirs, limit, ours, theirs };
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Prints a table and, as the last line, JSON. */
export function report(ratios: readonly Ratio[]): void {
  console.table(
    ratios.map(({ what, ratio, limit, ours, theirs, unit = 'ms', notes = '' }) => ({
      what,
      ratio: ratio.toFixed(2),
      limit: limit.toFixed(2),
      ours: `${ours.toFixed(2)} ${unit}`,
      theirs: `${theirs.toFixed(2)} ${unit}`,
      met: ratio <= limit,
      notes,
    })),
  );
  console.log(JSON.stringify(ratios));
}
