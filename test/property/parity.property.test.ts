import fc from 'fast-check';
import { FaultyNetwork } from '../pds/fixtures.js';
import { describeDatabase } from '../support/databases.js';
import { anySteps, type Step } from './steps.js';
import { World, type WorldOptions } from './world.js';

/** Sequences for each kind of application; more of them, with other seeds: PARITY_PROPERTY_RUNS=100 PARITY_PROPERTY_SEED=7. */
const RUNS = Number(process.env['PARITY_PROPERTY_RUNS'] ?? 3);
const SEED = Number(process.env['PARITY_PROPERTY_SEED'] ?? 4);

const kinds: WorldOptions[] = [
  { mode: 'inline', storage: 'cache', database: 'sqlite' },
  { mode: 'background', storage: 'cache', database: 'sqlite' },
  { mode: 'inline', storage: 'database', database: 'sqlite' },
  { mode: 'background', storage: 'database', database: 'sqlite' },
  { mode: 'inline', storage: 'database', database: 'postgres' },
  { mode: 'background', storage: 'database', database: 'postgres' },
];

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

const rejections: unknown[] = [];
const rejected = (reason: unknown): void => void rejections.push(reason);
beforeAll(() => void process.on('unhandledRejection', rejected));
afterAll(() => void process.off('unhandledRejection', rejected));

async function endsInParity(options: WorldOptions, steps: readonly Step[]): Promise<void> {
  const { expected, actual, problems } = await World.after(steps, servers, options);
  expect(actual).toEqual(expected);
  expect(problems).toEqual([]);
  expect(rejections.splice(0)).toEqual([]);
}

for (const options of kinds) {
  const { mode, storage, database } = options;
  describeDatabase(database)(`whatever happens (${mode}, ${storage}, ${database})`, () => {
    it(
      'the repositories agree with the entities in the end',
      () =>
        fc.assert(
          fc.asyncProperty(anySteps, (steps) => endsInParity(options, steps)),
          { numRuns: RUNS, seed: SEED },
        ),
      RUNS * 30_000,
    );
  });
}
