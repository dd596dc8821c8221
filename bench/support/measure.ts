import { performance } from 'node:perf_hooks';

export interface Contestant {
  readonly name: string;
  run(): Promise<unknown>;
}

export interface Ratio {
  readonly what: string;
  readonly ratio: number;
  readonly limit: number;
  /** Medians in milliseconds. */
  readonly ours: number;
  readonly theirs: number;
  readonly notes?: string;
}

/**
 * Medians of two ways to do a thing, side by side: one after the other in every round, in changing order, so that what
 * the machine does meanwhile hits both.
 */
export async function compare(
  what: string,
  limit: number,
  [ours, theirs]: readonly [Contestant, Contestant],
  { rounds = 200, warmUp = 50 } = {},
): Promise<Ratio> {
  const times: [number[], number[]] = [[], []];
  for (let round = -warmUp; round < rounds; round++) {
    for (const index of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const start = performance.now();
      await (index === 0 ? ours : theirs).run();
      if (round >= 0) times[index].push(performance.now() - start);
    }
  }
  const [a, b] = [median(times[0]), median(times[1])];
  return { what, ratio: a / b, limit, ours: a, theirs: b };
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Prints a table and, as the last line, JSON. */
export function report(ratios: readonly Ratio[]): void {
  console.table(
    ratios.map(({ what, ratio, limit, ours, theirs, notes = '' }) => ({
      what,
      ratio: ratio.toFixed(2),
      limit: limit.toFixed(2),
      'ours (ms)': ours.toFixed(2),
      'theirs (ms)': theirs.toFixed(2),
      met: ratio <= limit,
      notes,
    })),
  );
  console.log(JSON.stringify(ratios));
}
