import fc from 'fast-check';
import { FaultyNetwork } from '../support/faulty-network.js';
import { describeDatabase, type DatabaseKind } from '../support/databases.js';
import { seedsOf } from '../support/seed.js';
import { kindsOn } from './kinds.js';
import { Stages } from './stages.js';
import { anySteps } from './steps.js';
import { World } from './world.js';

/** Sequences for each kind of application and each seed; without it, as many as fit into this time. */
const RUNS = Number(process.env['PARITY_PROPERTY_RUNS'] ?? 0);
const SECONDS = Number(process.env['PARITY_PROPERTY_SECONDS'] ?? 10);
const SEEDS = seedsOf('PARITY_PROPERTY_SEED');
/** With its seed: the counterexample alone, as fast-check tells it. */
const PATH = process.env['PARITY_PROPERTY_PATH'];
const DAY = 86_400_000;

/** Whatever happens to applications on this database, rule 1 holds in the end, and nothing was given up. */
export function everySequenceEndsInParity(database: DatabaseKind): void {
  let servers: FaultyNetwork;
  beforeAll(async () => {
    servers = await FaultyNetwork.start();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  const rejections: unknown[] = [];
  const rejected = (reason: unknown): void => void rejections.push(reason);
  beforeAll(() => void process.on('unhandledRejection', rejected));
  afterAll(() => void process.off('unhandledRejection', rejected));

  for (const kind of kindsOn(database)) {
    describeDatabase(database)(`whatever happens (${Object.values(kind).join(', ')})`, () => {
      it(
        'the repositories agree with the entities in the end',
        async () => {
          await using stages = new Stages(servers, kind);
          const endsInParity = fc.asyncProperty(anySteps, (steps) =>
            stages.use(async (stage) => {
              const { expected, actual, problems } = await World.on(stage, steps);
              expect(actual).toEqual(expected);
              expect(problems).toEqual([]);
              expect(rejections.splice(0)).toEqual([]);
            }),
          );
          for (const batch of batches()) await fc.assert(endsInParity, batch);
        },
        DAY,
      );
    });
  }
}

interface Batch {
  readonly seed: number;
  readonly numRuns?: number;
  readonly path?: string;
}

function* batches(): Generator<Batch> {
  if (PATH) return yield { seed: SEEDS[0], path: PATH };
  if (RUNS) return yield* SEEDS.map((seed) => ({ seed, numRuns: RUNS }));
  const end = performance.now() + SECONDS * 1_000;
  for (let seed = SEEDS[0]; performance.now() < end; seed++) yield { seed, numRuns: 5 };
}
