import { seedsOf } from '../support/seed.js';

/** Sequences for each kind of application and each seed; without it, as many as fit into this time. */
const RUNS = Number(process.env['PARITY_PROPERTY_RUNS'] ?? 0);
const SECONDS = Number(process.env['PARITY_PROPERTY_SECONDS'] ?? 10);
const SEEDS = seedsOf('PARITY_PROPERTY_SEED');
/** With its seed: the counterexample alone, as fast-check tells it. */
const PATH = process.env['PARITY_PROPERTY_PATH'];

export interface Batch {
  readonly seed: number;
  readonly numRuns?: number;
  readonly path?: string;
}

/** What fast-check is to run for one kind of application. */
export function* batches(seconds = SECONDS): Generator<Batch> {
  if (PATH) return yield { seed: SEEDS[0], path: PATH };
  if (RUNS) return yield* SEEDS.map((seed) => ({ seed, numRuns: RUNS }));
  const end = performance.now() + seconds * 1_000;
  for (let seed = SEEDS[0]; performance.now() < end; seed++) yield { seed, numRuns: 5 };
}
